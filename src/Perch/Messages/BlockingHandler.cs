using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;
using Perch.Connections;

namespace Perch.Messages;

/// <summary>
/// Blocking or legacy code: a thread for each connection, as many as the options allow, with timeouts on each read and write.
/// </summary>
/// <typeparam name="TOptions">The protocol's options, with the thread limit and the timeouts.</typeparam>
/// <param name="options">The endpoint's options.</param>
/// <param name="logger">Told when no thread can be had.</param>
public abstract partial class BlockingHandler<TOptions>(TOptions options, ILogger logger) : ConnectionHandler
    where TOptions : BlockingOptions
{
    private int _threads;

    /// <summary>The endpoint's options.</summary>
    protected TOptions Options { get; } = options;

    /// <inheritdoc/>
    public sealed override Task OnConnectedAsync(ConnectionContext connection)
    {
        var context = new BlockingContext(connection);
        if (!Slots.TryTake(ref _threads, Options.MaxThreads)) return Reject(context, "all threads are taken");
        var ended = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            var thread = new Thread(() => Run(connection, context, ended), Options.StackBytes) { IsBackground = true, Name = $"perch {context.Endpoint}" };
            thread.Start();
        }
        catch (Exception exception) when (exception is OutOfMemoryException or ThreadStartException)
        {
            Interlocked.Decrement(ref _threads);
            return Reject(context, exception.Message);
        }

        return ended.Task;
    }

    /// <summary>Serves one connection, on a thread of its own; it ends when this returns.</summary>
    /// <param name="stream">The connection: a read returns 0 when the peer closed its side or the endpoint drains.</param>
    /// <param name="context">The peer.</param>
    /// <exception cref="TimeoutException">May leave it: a read or write took longer than its timeout.</exception>
    protected abstract void Handle(Stream stream, BlockingContext context);

    private void Run(ConnectionContext connection, BlockingContext context, TaskCompletionSource ended)
    {
        Exception? failure = null;
        try
        {
            using var stream = new BlockingStream(connection.Transport, context, Options.ReadTimeout, Options.WriteTimeout);
            Handle(stream, context);
        }
        catch (Exception exception)
        {
            failure = exception;
        }

        // Before the connection is closed: a peer that sees the close may come back at once, to the last thread there is.
        Interlocked.Decrement(ref _threads);
        if (failure is null) ended.SetResult();
        else ended.SetException(failure);
    }

    private Task Reject(BlockingContext context, string reason)
    {
        context.SetOutcome(ConnectionOutcome.Rejected);
        Log.NoThread(logger, context.Endpoint, reason);
        return Task.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(2010, LogLevel.Warning, "No thread for a connection of endpoint {Endpoint}: {Reason}", EventName = "ThreadRefused")]
        public static partial void NoThread(ILogger logger, string endpoint, string reason);
    }
}
