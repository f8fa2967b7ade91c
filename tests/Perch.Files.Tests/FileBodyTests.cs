using System.Buffers;
using System.Diagnostics.Metrics;
using System.IO.Pipelines;
using System.Threading.Channels;
using Microsoft.Extensions.DependencyInjection;
using Perch.Tests.Shared;

namespace Perch.Files.Tests;

public sealed class FileBodyTests : IDisposable
{
    private readonly ServiceProvider _services = new ServiceCollection().AddMetrics().BuildServiceProvider();
    private readonly Pipe _pipe = new();
    private readonly FileMetrics _metrics;
    private readonly FileMetrics.FileTransfer _transfer;

    /// <summary>One whose <see cref="PipeReader.ReadAtLeastAsync"/> counts what was examined too.</summary>
    private PipeReader CountingReader => PipeReader.Create(_pipe.Reader.AsStream());

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
        var body = new FileBody(_pipe.Reader, 7, isBeating: false);
        var receiving = body.ReceiveAsync(upload, _transfer).AsTask();
        foreach (var part in (string[])["ab", "cd", "ef", "gREST"]) await _pipe.Writer.WriteAsync(System.Text.Encoding.ASCII.GetBytes(part));
        await receiving.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("abcdefg", upload.Text);
        Assert.True(_pipe.Reader.TryRead(out var rest));
        Assert.Equal("REST", System.Text.Encoding.ASCII.GetString(rest.Buffer.ToArray()));
    }

    [Fact]
    public async Task ReceiveAsync_WhileOnePartIsStored_ReceivesTheNext()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var upload = new Upload { BestAppendBytes = 2, Gate = gate.Task };
        var receiving = new FileBody(_pipe.Reader, 8, isBeating: false).ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("abcdef"u8.ToArray());
        Assert.Equal("ab", await upload.BegunAsync());
        Assert.Equal("cd", await upload.BegunAsync());
        Assert.Equal("ef", await upload.BegunAsync());
        // Received, and not given to it before the first is stored.
        await _pipe.Writer.WriteAsync("gh"u8.ToArray());
        Assert.Equal(0, upload.Ended);
        Assert.Equal(IFileUpload.AppendsAtOnce, upload.Most);
        gate.SetResult();
        await receiving.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("abcdefgh", upload.Text);
        Assert.Equal(IFileUpload.AppendsAtOnce, upload.Most);
    }

    [Fact]
    public async Task ReceiveAsync_LessThanAPartComes_WaitsForTheRestUntilItBeats()
    {
        var upload = new Upload { BestAppendBytes = 4 };
        var body = new FileBody(CountingReader, 10, isBeating: true);
        var receiving = body.ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        await _pipe.Writer.WriteAsync("cdef"u8.ToArray());
        Assert.Equal("abcd", await upload.BegunAsync());
        await _pipe.Writer.WriteAsync("g"u8.ToArray());
        var rest = upload.BegunAsync();
        while (!rest.IsCompleted) body.OnHeartbeat();
        Assert.StartsWith("e", await rest, StringComparison.Ordinal);
        await _pipe.Writer.WriteAsync("hij"u8.ToArray());
        await receiving.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("abcdefghij", upload.Text);
    }

    [Fact]
    public async Task ReceiveAsync_StreamEndsWithinAPart_StoresWhatCame()
    {
        var upload = new Upload { BestAppendBytes = 4 };
        var receiving = new FileBody(CountingReader, null, isBeating: true).ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("abcdef"u8.ToArray());
        await _pipe.Writer.CompleteAsync();
        await receiving.WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal("abcdef", upload.Text);
    }

    [Fact]
    public async Task ReceiveAsync_StoreFails_TellsAndTakesWhatItHadReceived()
    {
        var gate = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var upload = new Upload { BestAppendBytes = 2, Gate = gate.Task };
        var body = new FileBody(_pipe.Reader, 6, isBeating: false);
        var receiving = body.ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        Assert.Equal("ab", await upload.BegunAsync());
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
        var upload = new Upload { BestAppendBytes = 2, Gate = gate.Task };
        var receiving = new FileBody(_pipe.Reader, 6, isBeating: false).ReceiveAsync(upload, _transfer).AsTask();
        await _pipe.Writer.WriteAsync("ab"u8.ToArray());
        Assert.Equal("ab", await upload.BegunAsync());
        await _pipe.Writer.CompleteAsync(new IOException("reset"));
        // Its memory is the reader's, which whoever hears of the end gives back.
        Assert.False(receiving.IsCompleted);
        gate.SetResult();
        await Assert.ThrowsAsync<IOException>(() => receiving);
        Assert.Equal("ab", upload.Text);
    }

    private sealed class Upload : IFileUpload
    {
        private readonly Channel<string> _begun = Channel.CreateUnbounded<string>();
        private readonly SemaphoreSlim _turn = new(1);
        private int _underWay;

        public int BestAppendBytes { get; init; }

        public Task Gate { get; init; } = Task.CompletedTask;

        public string Text { get; private set; } = "";

        public int Ended { get; private set; }

        /// <summary>So many were under way at once.</summary>
        public int Most { get; private set; }

        /// <summary>What the next append brings.</summary>
        public async Task<string> BegunAsync() => await _begun.Reader.ReadAsync().AsTask().WaitAsync(TimeSpan.FromSeconds(20));

        public async ValueTask AppendAsync(ReadOnlySequence<byte> bytes)
        {
            Most = Math.Max(Most, Interlocked.Increment(ref _underWay));
            var turn = _turn.WaitAsync();
            Assert.True(_begun.Writer.TryWrite(System.Text.Encoding.ASCII.GetString(bytes.ToArray())));
            await turn;
            try
            {
                await Gate;
                Text += System.Text.Encoding.ASCII.GetString(bytes.ToArray());
            }
            finally
            {
                Ended++;
                Interlocked.Decrement(ref _underWay);
                _turn.Release();
            }
        }

        public Task<StoredFile> CompleteAsync() => throw new NotSupportedException();

        public Task AbortAsync() => Task.CompletedTask;

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
