using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Perch.Diagnostics;
using Perch.Wire.Files;

namespace Perch.Protocols.Files;

/// <summary>A store that counts the descriptors of its transfers, and refuses a transfer if too few are left.</summary>
internal sealed class BudgetedFileStore(IFileStore inner, IDescriptorBudget descriptors) : IFileStore
{
    /// <summary>An upload holds its file, a second handle that passes the page cache, and a folder for a moment; one to S3 has connections.</summary>
    private const int Held = 3;

    /// <summary>The store itself.</summary>
    public IFileStore Inner => inner;

    public FileTotals Totals => inner.Totals;

    public FileLimits Limits => inner.Limits;

    public Task OpenAsync(CancellationToken cancellationToken) => inner.OpenAsync(cancellationToken);

    public Task ProbeAsync(CancellationToken cancellationToken) => inner.ProbeAsync(cancellationToken);

    public async Task<IFileUpload> BeginAsync(FileUploadRequest request, CancellationToken cancellationToken)
    {
        Take();
        IFileUpload? upload = null;
        try
        {
            upload = await inner.BeginAsync(request, cancellationToken);
            return new BudgetedUpload(upload, descriptors);
        }
        finally
        {
            if (upload is null)
                descriptors.Return(Held);
        }
    }

    public async Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken)
    {
        Take();
        IFileSnapshot? snapshot = null;
        try
        {
            snapshot = await inner.OpenReadAsync(name, cancellationToken);
            return snapshot is null ? null : new BudgetedSnapshot(snapshot, descriptors);
        }
        finally
        {
            if (snapshot is null)
                descriptors.Return(Held);
        }
    }

    public Task<FileStatus> StatAsync(FileName name, CancellationToken cancellationToken) => inner.StatAsync(name, cancellationToken);

    public Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, string after, int limit, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, after, limit, cancellationToken);

    public Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken) =>
        inner.DeleteAsync(name, condition, cancellationToken);

    public Task<int> TrimAsync(CancellationToken cancellationToken) => inner.TrimAsync(cancellationToken);

    public IAsyncEnumerable<FileFinding> VerifyAsync(CancellationToken cancellationToken) => inner.VerifyAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    private void Take()
    {
        if (!descriptors.TryTake(Held))
            throw FileStoreException.Busy();
    }

    private sealed class BudgetedUpload(IFileUpload inner, IDescriptorBudget descriptors) : IFileUpload
    {
        private int _held = Held;

        public int BestAppendBytes => inner.BestAppendBytes;

        public ValueTask AppendAsync(ReadOnlySequence<byte> bytes) => inner.AppendAsync(bytes);

        public Task<StoredFile> CompleteAsync() => inner.CompleteAsync();

        public Task AbortAsync() => inner.AbortAsync();

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            descriptors.Return(Interlocked.Exchange(ref _held, 0));
        }
    }

    private sealed class BudgetedSnapshot(IFileSnapshot inner, IDescriptorBudget descriptors) : IFileSnapshot
    {
        private int _held = Held;

        public StoredFile File => inner.File;

        public SafeFileHandle? FindInMemory(long offset, long length) => inner.FindInMemory(offset, length);

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
            inner.ReadAsync(offset, buffer, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            descriptors.Return(Interlocked.Exchange(ref _held, 0));
        }
    }
}
