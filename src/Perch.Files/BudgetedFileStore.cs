using System.Buffers;
using Microsoft.Win32.SafeHandles;
using Perch.Diagnostics;
using Perch.Wire.Files;

namespace Perch.Files;

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
        var claim = Take();
        IFileUpload? upload = null;
        try
        {
            upload = await inner.BeginAsync(request, cancellationToken);
            return new BudgetedUpload(upload, descriptors, claim);
        }
        finally
        {
            if (upload is null)
                descriptors.Return(claim);
        }
    }

    public async Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken)
    {
        var claim = Take();
        IFileSnapshot? snapshot = null;
        try
        {
            snapshot = await inner.OpenReadAsync(name, cancellationToken);
            return snapshot is null ? null : new BudgetedSnapshot(snapshot, descriptors, claim);
        }
        finally
        {
            if (snapshot is null)
                descriptors.Return(claim);
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

    private DescriptorClaim Take() => descriptors.TryTake(Held, out var claim) ? claim : throw FileStoreException.Busy();

    private sealed class BudgetedUpload(IFileUpload inner, IDescriptorBudget descriptors, DescriptorClaim claim) : IFileUpload
    {
        private bool _isReturned;

        public int BestAppendBytes => inner.BestAppendBytes;

        public ValueTask AppendAsync(ReadOnlySequence<byte> bytes) => inner.AppendAsync(bytes);

        public Task<StoredFile> CompleteAsync() => inner.CompleteAsync();

        public Task AbortAsync() => inner.AbortAsync();

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            if (!Interlocked.Exchange(ref _isReturned, true))
                descriptors.Return(claim);
        }
    }

    private sealed class BudgetedSnapshot(IFileSnapshot inner, IDescriptorBudget descriptors, DescriptorClaim claim) : IFileSnapshot
    {
        private bool _isReturned;

        public StoredFile File => inner.File;

        public SafeFileHandle? FindInMemory(long offset, long length) => inner.FindInMemory(offset, length);

        public ValueTask<int> ReadAsync(long offset, Memory<byte> buffer, CancellationToken cancellationToken) =>
            inner.ReadAsync(offset, buffer, cancellationToken);

        public async ValueTask DisposeAsync()
        {
            await inner.DisposeAsync();
            if (!Interlocked.Exchange(ref _isReturned, true))
                descriptors.Return(claim);
        }
    }
}
