using System.Buffers;
using Perch.Wire.Files;

namespace Perch.Files.Tests;

/// <summary>A store whose uploads wait before each append, and after they are published, until the test lets them go on.</summary>
internal sealed class HeldFileStore(IFileStore inner) : IFileStore
{
    public Gate Append { get; } = new();

    public Gate Complete { get; } = new();

    public FileTotals Totals => inner.Totals;

    public FileLimits Limits => inner.Limits;

    public Task OpenAsync(CancellationToken cancellationToken) => inner.OpenAsync(cancellationToken);

    public Task ProbeAsync(CancellationToken cancellationToken) => inner.ProbeAsync(cancellationToken);

    public async Task<IFileUpload> BeginAsync(FileUploadRequest request, CancellationToken cancellationToken) =>
        new Upload(await inner.BeginAsync(request, cancellationToken), this);

    public Task<IFileSnapshot?> OpenReadAsync(FileName name, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(name, cancellationToken);

    public Task<FileStatus> StatAsync(FileName name, CancellationToken cancellationToken) => inner.StatAsync(name, cancellationToken);

    public Task<IReadOnlyList<StoredFile>> ListAsync(string prefix, string after, int limit, CancellationToken cancellationToken) =>
        inner.ListAsync(prefix, after, limit, cancellationToken);

    public Task<bool> DeleteAsync(FileName name, FileCondition? condition, CancellationToken cancellationToken) =>
        inner.DeleteAsync(name, condition, cancellationToken);

    public Task<int> TrimAsync(CancellationToken cancellationToken) => inner.TrimAsync(cancellationToken);

    public IAsyncEnumerable<FileFinding> VerifyAsync(CancellationToken cancellationToken) => inner.VerifyAsync(cancellationToken);

    public ValueTask DisposeAsync() => inner.DisposeAsync();

    /// <summary>A point that is passed when the test says so.</summary>
    internal sealed class Gate
    {
        private readonly TaskCompletionSource<bool> _entered = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private readonly TaskCompletionSource _released = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public bool WasEntered => _entered.Task.IsCompleted;

        public Task<bool> EnteredAsync() => _entered.Task;

        public void Release() => _released.SetResult();

        public Task PassAsync()
        {
            _entered.TrySetResult(true);
            return _released.Task;
        }
    }

    private sealed class Upload(IFileUpload inner, HeldFileStore store) : IFileUpload
    {
        /// <summary>More than the tests send: what has come is stored when the message has ended.</summary>
        public int BestAppendBytes => 1000;

        public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
        {
            await store.Append.PassAsync();
            await inner.AppendAsync(bytes);
        }

        public async Task<StoredFile> CompleteAsync()
        {
            var stored = await inner.CompleteAsync();
            await store.Complete.PassAsync();
            return stored;
        }

        public Task AbortAsync() => inner.AbortAsync();

        public ValueTask DisposeAsync() => inner.DisposeAsync();
    }
}
