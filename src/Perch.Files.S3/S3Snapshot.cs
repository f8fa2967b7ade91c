using Amazon.S3.Model;
using Microsoft.Win32.SafeHandles;

namespace Perch.Files.S3;

/// <summary>
/// An object as it was when it was opened. Its bytes come from the answer to that request; where a read is elsewhere, or that answer
/// broke off, the same version is asked for again, and where the bucket keeps no versions and a newer file has the name, the read fails.
/// </summary>
internal sealed class S3Snapshot(S3Bucket bucket, string key, GetObjectResponse first, StoredFile file) : IFileSnapshot
{
    private const int Tries = 3;

    private readonly S3Version _version = S3Version.Of(first);
    private GetObjectResponse? _response = first;
    private CancellationTokenSource _limit = new();
    private long _position;

    public StoredFile File { get; } = file;

    public SafeFileHandle? FindInMemory(long offset, long length) => null;

    public async ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken)
    {
        if (buffer.IsEmpty) return 0;
        for (var tries = 1; ; tries++)
        {
            if (_response is null || _position != offset) await OpenAsync(offset, cancellationToken);
            try
            {
                var read = await ReadOnceAsync(buffer, cancellationToken);
                if (read == 0) throw new EndOfStreamException("The object ended early.");
                _position += read;
                return read;
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                Close();
                if (tries == Tries) throw bucket.Failure(exception, cancellationToken);
            }
        }
    }

    public ValueTask DisposeAsync()
    {
        Close();
        _limit.Dispose();
        return ValueTask.CompletedTask;
    }

    private async ValueTask<int> ReadOnceAsync(Memory<byte> buffer, CancellationToken cancellationToken)
    {
        _limit.CancelAfter(bucket.Timeout);
        try
        {
            await using var given = cancellationToken.UnsafeRegister(static limit => ((CancellationTokenSource)limit!).Cancel(), _limit);
            return await _response!.ResponseStream.ReadAsync(buffer, _limit.Token);
        }
        finally
        {
            // One for all reads, but for one that was cancelled.
            if (!_limit.TryReset())
            {
                _limit.Dispose();
                _limit = new();
            }
        }
    }

    private async ValueTask OpenAsync(long offset, CancellationToken cancellationToken)
    {
        Close();
        _response = await bucket.GetAsync(key, offset, long.MaxValue, _version, cancellationToken)
            ?? throw FileStoreException.Unavailable($"{File.Name} was replaced or deleted while it was read, and its old bytes are gone");
        _position = offset;
    }

    private void Close()
    {
        _response?.Dispose();
        _response = null;
    }
}
