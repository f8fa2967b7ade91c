using System.Buffers;
using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using Microsoft.Extensions.DependencyInjection;
using Perch.Protocols.Files;

namespace Perch.Protocols.Tests.Files;

public sealed class FileBodyTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Pipe _pipe = new();
    private readonly FileMetrics _metrics;
    private readonly FileMetrics.FileTransfer _transfer;

    public FileBodyTests()
    {
        _metrics = new(_services.GetRequiredService<IMeterFactory>(), TimeProvider.System);
        _transfer = _metrics.BeginUpload("test");
    }

    public void Dispose()
    {
        _transfer.Dispose();
        _metrics.Dispose();
        _services.Dispose();
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public async Task ReceiveAsync_MoreThanTheLength_StoresTheLengthAndLeavesTheRest(int best)
    {
        var upload = new Upload { BestAppendBytes = best };
        var body = new FileBody(_pipe.Reader, null, 7);
        var receiving = body.ReceiveAsync(upload, _transfer).AsTask();
        foreach (var part in (string[])["ab", "cd", "ef", "gREST"]) await _pipe.Writer.WriteAsync(System.Text.Encoding.ASCII.GetBytes(part));
        await receiving;
        Assert.Equal("abcdefg", upload.Text);
        Assert.True(_pipe.Reader.TryRead(out var rest));
        Assert.Equal("REST", System.Text.Encoding.ASCII.GetString(rest.Buffer.ToArray()));
    }

    [Fact]
    public async Task ReceiveAsync_WhileOnePartIsStored_ReceivesTheNext()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var upload = new Upload { BestAppendBytes = 1, Gate = gate.Task };
        var receiving = new FileBody(_pipe.Reader, null, 4).ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        await upload.Begun.WaitAsync(TimeSpan.FromSeconds(20));
        // Received, and not stored before the first is.
        await _pipe.Writer.WriteAsync("cd"u8.ToArray());
        Assert.Equal("", upload.Text);
        gate.SetResult();
        await receiving;
        Assert.Equal("abcd", upload.Text);
    }

    [Fact]
    public async Task ReceiveAsync_StoreFails_TellsAndTakesWhatItHadReceived()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var upload = new Upload { BestAppendBytes = 1, Gate = gate.Task };
        var body = new FileBody(_pipe.Reader, null, 6);
        var receiving = body.ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        await upload.Begun.WaitAsync(TimeSpan.FromSeconds(20));
        await _pipe.Writer.WriteAsync("cd"u8.ToArray());
        // Nothing more comes until the peer is told.
        gate.SetException(new FileStoreException("full", "there is no space"));
        await receiving.RefusedAsync("full");
        await _pipe.Writer.WriteAsync("efNEXT"u8.ToArray());
        await body.SkipAsync();
        Assert.True(_pipe.Reader.TryRead(out var rest));
        Assert.Equal("NEXT", System.Text.Encoding.ASCII.GetString(rest.Buffer.ToArray()));
    }

    [Fact]
    public async Task ReceiveAsync_PeerIsGoneWhileAPartIsStored_EndsOnlyWhenItIs()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var upload = new Upload { BestAppendBytes = 1, Gate = gate.Task };
        var receiving = new FileBody(_pipe.Reader, null, 6).ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        await upload.Begun.WaitAsync(TimeSpan.FromSeconds(20));
        await _pipe.Writer.CompleteAsync(new IOException("reset"));
        // Its memory is the reader's, which whoever hears of the end gives back.
        Assert.False(receiving.IsCompleted);
        gate.SetResult();
        await Assert.ThrowsAsync<IOException>(() => receiving);
        Assert.Equal("ab", upload.Text);
    }

    private sealed class Upload : IFileUpload
    {
        private readonly TaskCompletionSource _begun = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public int BestAppendBytes { get; init; }

        public Task Gate { get; init; } = Task.CompletedTask;

        public Task Begun => _begun.Task;

        public string Text { get; private set; } = "";

        public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
        {
            _begun.TrySetResult();
            await Gate;
            Text += System.Text.Encoding.ASCII.GetString(bytes.ToArray());
        }

        public Task<StoredFile> CompleteAsync() => throw new NotSupportedException();

        public Task AbortAsync() => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
