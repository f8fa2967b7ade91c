using System.Buffers;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Perch.Linux;

namespace Perch.Files.Disk;

/// <summary>
/// One file of <c>uploads</c>. It belongs to the upload that took it last; its bytes are hashed beside being written. Used
/// on the disk's threads, under its own lock, and its hash under another.
/// </summary>
/// <remarks>
/// While the process lives the state of the hash is kept with it, so that going on where it ended costs nothing. After a
/// restart, or where an upload goes back, the bytes that are there are read once to hash them again.
/// <para>
/// What comes in whole parts is written past the page cache: the disk takes it from where it was received, and a sync has
/// little left to do. The file grows in order, so that after a crash all of it is what was sent.
/// </para>
/// </remarks>
/// <param name="uploads">Its folder.</param>
/// <param name="key">Of the name: <see cref="DiskMetadata.KeyOf"/>.</param>
/// <param name="id">Tells it from others of the name.</param>
/// <param name="isDirect">Whether whole parts pass the page cache, where the file system can.</param>
/// <param name="time">The clock.</param>
internal sealed class DiskPartial(DiskFolder uploads, string key, string id, bool isDirect, TimeProvider time) : IDisposable
{
    /// <summary>How much is written before the system is asked to begin with it: the sync at the end has little left to do.</summary>
    public const long WriteBehind = 8 * 1024 * 1024;

    /// <summary>
    /// What one call writes at most, and to a place that is a multiple of it: pages that are whole and lie together cost the
    /// system about half of what others do.
    /// </summary>
    private const int WriteBytes = 64 * 1024;

    /// <summary>Bytes of one step of <see cref="TryHashStep"/>: a few milliseconds.</summary>
    private const int HashStepBytes = 4 * 1024 * 1024;

    private readonly Lock _hashing = new();
    private readonly List<ReadOnlyMemory<byte>> _pieces = [];
    private SafeFileHandle? _file;
    private SafeFileHandle? _direct;
    private bool _isDirect = isDirect;
    private IncrementalHash? _hash;
    private long _hashed;
    private long _begun;
    private long _synced;

    public Lock Lock { get; } = new();

    /// <summary>What it is called in <c>uploads</c>.</summary>
    public string Entry { get; } = $"{key}.{id}";

    /// <summary>Of the name: <see cref="DiskMetadata.KeyOf"/>.</summary>
    public string Key { get; } = key;

    /// <summary>Who writes it; null where nobody does.</summary>
    public DiskUpload? Owner { get; set; }

    /// <summary>Its place among the idle uploads, of which <see cref="DiskUploads"/> keeps the order; null while it has an owner.</summary>
    public LinkedListNode<DiskPartial>? IdleNode { get; set; }

    /// <summary>Its entry in the quota.</summary>
    public required DiskShare Share { get; init; }

    /// <summary>A newer upload of the name is the one to resume: this one is of no use when its owner leaves it.</summary>
    public bool IsDetached { get; set; }

    /// <summary>Written.</summary>
    public long Length { get; private set; }

    /// <summary>How much of it is known to be durable.</summary>
    public long Synced => Volatile.Read(ref _synced);

    /// <summary>
    /// A sync has failed. The system may go on to show what the disk never got, and say no more about it: nobody can go on
    /// with this one.
    /// </summary>
    public bool IsLost { get; private set; }

    /// <summary>It has become the file.</summary>
    public bool IsNamed { get; set; }

    /// <summary>When its owner left it.</summary>
    public DateTimeOffset Touched { get; private set; } = time.GetUtcNow();

    public SafeFileHandle File => _file ?? throw new InvalidOperationException("The partial is closed.");

    public void Create()
    {
        _file = uploads.CreateFile(Entry);
        _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
    }

    /// <summary>As a crash or an earlier process left it.</summary>
    public void Found(long length, DateTimeOffset touched) => (Length, Touched) = (length, touched);

    /// <summary>Goes back to an offset that it has. The hash of the bytes before it is there after <see cref="TryHashStep"/> has done all of them.</summary>
    public void Resume(long offset)
    {
        _file ??= uploads.TryOpenFile(Entry, out _, forWriting: true) ?? throw FileStoreException.Unavailable($"{Entry} is gone from the store");
        // An upload before this one may be reading: the file does not become shorter in one of its steps.
        lock (_hashing)
        {
            if (Posix.Truncate(_file, offset) != 0) throw DiskError.Of(Marshal.GetLastPInvokeError(), Entry);
            (Length, _begun, _synced) = (offset, offset, Math.Min(_synced, offset));
            if (_hash is not null && _hashed <= offset) return;
            DropHash();
            _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            _hashed = 0;
        }
    }

    /// <summary>Reads and hashes the next bytes of those that are not hashed, <see cref="HashStepBytes"/> at most; not under <see cref="Lock"/>.</summary>
    /// <returns>False if the partial belongs to another upload.</returns>
    public bool TryHashStep(DiskUpload owner, out bool isDone)
    {
        isDone = false;
        lock (_hashing)
        {
            if (Owner != owner || _hash is null || _file is not { } file) return false;
            var end = Math.Min(Length, _hashed + HashStepBytes);
            try
            {
                Hash(file, end);
            }
            catch (ObjectDisposedException)
            {
                // The upload that took it over has ended.
                return false;
            }

            isDone = _hashed == Length;
            return true;
        }
    }

    /// <summary>Writes bytes behind those that are there.</summary>
    public void Append(in ReadOnlySequence<byte> bytes)
    {
        if (TryWriteDirect(bytes)) return;
        Write(bytes);
        if (Length - _begun < WriteBehind) return;
        // A hint: a file system that cannot is none the worse.
        _ = Posix.SyncRange(File, _begun, Length - _begun, flags: 2);
        _begun = Length;
    }

    /// <summary>Hashes bytes behind those before, beside their being written; not under <see cref="Lock"/>.</summary>
    /// <returns>False where the partial is another's.</returns>
    public bool TryHash(in ReadOnlySequence<byte> bytes, DiskUpload owner)
    {
        // Looked at before the lock too: whoever took it over may read for long.
        if (Owner != owner) return false;
        lock (_hashing)
        {
            if (Owner != owner || _hash is null) return false;
            foreach (var segment in bytes) _hash.AppendData(segment.Span);
            _hashed += bytes.Length;
            return true;
        }
    }

    /// <summary>The hash of what is there, in lower-case digits.</summary>
    public string Hash()
    {
        lock (_hashing)
        {
            if (_hash is null || _hashed != Length) throw new InvalidOperationException($"{Entry} has {Length} bytes, and {_hashed} are hashed.");
            return Convert.ToHexStringLower(_hash.GetCurrentHash());
        }
    }

    /// <exception cref="FileStoreException"><c>unavailable</c>: it <see cref="IsLost"/>.</exception>
    public void EnsureNotLost()
    {
        if (IsLost) throw FileStoreException.Unavailable($"{Entry} is given up: the disk failed to sync it. See the kernel's log.");
    }

    /// <summary>Makes what is there durable.</summary>
    /// <returns>How many bytes are.</returns>
    public long Sync()
    {
        EnsureNotLost();
        if (_synced == Length && _synced > 0) return _synced;
        using var opened = _file is null ? uploads.TryOpenFile(Entry, out var _, forWriting: true) : null;
        if ((_file ?? opened) is not { } file) return 0;
        // Until it has gone well.
        IsLost = true;
        DiskMetadata.Sync(file, Entry);
        IsLost = false;
        return _synced = Length;
    }

    /// <summary>Its owner leaves it to whoever goes on.</summary>
    public void Leave()
    {
        Owner = null;
        Touched = time.GetUtcNow();
        Close();
    }

    public void Delete()
    {
        Dispose();
        uploads.Delete(Entry);
    }

    public void Dispose()
    {
        Close();
        lock (_hashing) DropHash();
    }

    private void Close()
    {
        _file?.Dispose();
        _direct?.Dispose();
        (_file, _direct) = (null, null);
    }

    /// <returns>False where it has to go through the page cache: it is no whole part, lies across pages, or the file system cannot.</returns>
    private unsafe bool TryWriteDirect(in ReadOnlySequence<byte> bytes)
    {
        if (!_isDirect || bytes.Length != DiskUpload.PartBytes || Length % DiskUpload.PartBytes != 0 || !bytes.IsSingleSegment) return false;
        var part = bytes.FirstSpan;
        fixed (byte* start = part)
        {
            if ((nint)start % Environment.SystemPageSize != 0) return false;
        }

        _direct ??= uploads.TryOpenDirect(Entry);
        try
        {
            if (_direct is not null) RandomAccess.Write(_direct, part, Length);
        }
        catch (IOException exception) when (exception.HResult == Posix.EINVAL)
        {
            _direct!.Dispose();
            _direct = null;
        }

        _isDirect = _direct is not null;
        if (_isDirect) Length += DiskUpload.PartBytes;
        return _isDirect;
    }

    private void Write(ReadOnlySequence<byte> bytes)
    {
        for (var rest = bytes; !rest.IsEmpty;)
        {
            var piece = rest.Slice(0, Math.Min(rest.Length, WriteBytes - (Length % WriteBytes)));
            rest = rest.Slice(piece.End);
            if (piece.IsSingleSegment)
            {
                RandomAccess.Write(File, piece.FirstSpan, Length);
            }
            else
            {
                _pieces.Clear();
                foreach (var segment in piece) _pieces.Add(segment);
                RandomAccess.Write(File, _pieces, Length);
            }

            Length += piece.Length;
        }

        _pieces.Clear();
    }

    private void DropHash()
    {
        _hash?.Dispose();
        _hash = null;
    }

    /// <summary>Hashes to an offset; bytes that are hashed stay hashed if a read fails.</summary>
    private void Hash(SafeFileHandle file, long end)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(256 * 1024);
        try
        {
            while (_hashed < end)
            {
                var read = RandomAccess.Read(file, buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - _hashed)), _hashed);
                if (read == 0) throw FileStoreException.Unavailable($"{Entry} is shorter than it was");
                _hash!.AppendData(buffer, 0, read);
                _hashed += read;
            }
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
