using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Datagrams;
using Perch.Files;
using Perch.Wire;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>Runs transfers from the agreement on options to their outcome, which is told to the peer, the log and the metrics.</summary>
internal sealed partial class TftpService(TftpOptions options, FileStoreService files, TftpMetrics metrics, TimeProvider time, ILogger logger)
{
    /// <summary>How often a long transfer is heard of in the log.</summary>
    private static readonly TimeSpan ProgressInterval = TimeSpan.FromSeconds(10);

    private int _dallying;

    /// <summary>Runs one transfer; the job is disposed at its end.</summary>
    /// <returns>Another request that the peer has sent from the same port, or null; and how the transfer ended.</returns>
    public async Task<(byte[]? Next, TftpOutcome Outcome)> RunAsync(
        DatagramSession session, TftpJob job, string endpoint, bool isAtEndpoint)
    {
        await using var disposing = job;
        var request = job.Request;
        var running = metrics.Begin(endpoint, request.IsWrite, request.IsWrite ? files.Metrics.BeginUpload(endpoint) : files.Metrics.BeginDownload(endpoint));
        var outcome = TftpOutcome.Fault;
        try
        {
            await using var aborting = session.Aborted.UnsafeRegister(static transfer => ((TftpTransfer)transfer!).Wait.End(TftpOutcome.Aborted), job.Transfer);
            var terms = TftpTerms.Agree(request, options, job.File?.File.Length, isAtEndpoint, () => session.MaxPayloadBytes);
            using var exchange = new TftpExchange(session, job.Transfer, terms, options, running, logger);
            using var receiver = job.Upload is not null ? new TftpReceiver(exchange, job, request, Progress(job, running)) : null;
            outcome = await TransferAsync(session, job, exchange, receiver, running);
            End(session, job, terms, running, outcome);
            job.Transfer.Leave();
            var next = exchange.Next ?? NextOf(job.Transfer, outcome);
            if (receiver is null || outcome != TftpOutcome.Completed || next is not null) return (next, outcome);
            exchange.IsOver = true;
            await DallyAsync(session, job, receiver);
            return (exchange.Next, outcome);
        }
        catch when (outcome == TftpOutcome.Fault)
        {
            running.End(outcome);
            Tell(session, TftpErrorCode.NotDefined, TftpText.Fault);
            throw;
        }
    }

    /// <summary>Sets the outcome of a session from its last transfer.</summary>
    public static void SetOutcome(DatagramSession session, TftpOutcome outcome) => session.TrySetOutcome(OutcomeOf(outcome));

    /// <summary>Sends an ERROR, once: it is not acknowledged (RFC 1350, section 7).</summary>
    public static void Tell(DatagramSession session, TftpErrorCode code, string text)
    {
        Span<byte> error = stackalloc byte[TftpPacket.HeaderBytes + TftpPacket.MaxErrorTextBytes + 1];
        session.TrySend(error[..TftpPacket.WriteError(error, code, text)]);
    }

    /// <returns>The same request, which the peer has sent after the last packet of the transfer.</returns>
    private static byte[]? NextOf(TftpTransfer transfer, TftpOutcome outcome) =>
        transfer.IsAskedAgain && outcome is TftpOutcome.Completed or TftpOutcome.PeerError ? transfer.Request.ToArray() : null;

    private async Task<TftpOutcome> TransferAsync(DatagramSession session, TftpJob job, TftpExchange exchange, TftpReceiver? receiver, TftpMetrics.Running running)
    {
        try
        {
            if (receiver is not null)
            {
                await receiver.RunAsync();
                return TftpOutcome.Completed;
            }

            await using var blocks = new TftpBlocks(job.File!, job.Request.Mode, exchange.Terms.BlockSize, exchange.Terms.WindowSize);
            await new TftpSender(exchange, blocks, time, Progress(job, running)).RunAsync();
            return TftpOutcome.Completed;
        }
        catch (TftpException end)
        {
            if (TftpText.IsTold(end.Outcome)) Tell(session, end.Code, end.Message);
            return end.Outcome;
        }
        catch (FileStoreException failure)
        {
            files.Failed(failure);
            var end = TftpException.Of(failure);
            Tell(session, end.Code, end.Message);
            return end.Outcome;
        }
    }

    /// <remarks>What is stored stays stored, whatever becomes of this; a drain does not wait for it.</remarks>
    private async Task DallyAsync(DatagramSession session, TftpJob job, TftpReceiver receiver)
    {
        await using var draining = session.Draining.UnsafeRegister(static transfer => ((TftpTransfer)transfer!).Wait.End(TftpOutcome.Completed), job.Transfer);
        try
        {
            // Each holds a port. Past so many the others do without.
            if (Interlocked.Increment(ref _dallying) <= options.MaxTransfers) await receiver.DallyAsync();
        }
        catch (TftpException)
        {
            // It was over already.
        }
        finally
        {
            Interlocked.Decrement(ref _dallying);
        }
    }

    private Action Progress(TftpJob job, TftpMetrics.Running running)
    {
        var told = TimeSpan.Zero;
        return () =>
        {
            if (running.Elapsed - told < ProgressInterval) return;
            told = running.Elapsed;
            TellProgress(job, running);
        };
    }

    private void TellProgress(TftpJob job, TftpMetrics.Running running)
    {
        if (!logger.IsEnabled(LogLevel.Information)) return;
        var total = job.File?.File.Length ?? job.Request.Options.TransferSize ?? 0;
        Log.Progress(logger, Direction(job), PeerText.Escape(job.Name.Value), job.Transfer.Peer, running.Bytes, total, Rate(running));
    }

    private void End(DatagramSession session, TftpJob job, TftpTerms terms, TftpMetrics.Running running, TftpOutcome outcome)
    {
        // A request that may have been forged is worth no line.
        var level = outcome == TftpOutcome.NoPeer ? LogLevel.Debug : LogLevel.Information;
        if (logger.IsEnabled(level))
        {
            var (direction, name, rate) = (Direction(job), PeerText.Escape(job.Name.Value), Rate(running));
            Log.Ended(logger, level, direction, name, session.Peer, outcome, running.Bytes, running.Elapsed.TotalSeconds, rate, terms.BlockSize, terms.WindowSize, running.Resent);
        }

        running.End(outcome);
    }

    private static string Direction(TftpJob job) => job.Request.IsWrite ? "write" : "read";

    private static long Rate(TftpMetrics.Running running) => (long)(running.Bytes / Math.Max(running.Elapsed.TotalSeconds, 0.000_001));

    private static ConnectionOutcome OutcomeOf(TftpOutcome outcome) => outcome switch
    {
        TftpOutcome.Timeout or TftpOutcome.Unacknowledged => ConnectionOutcome.IdleTimeout,
        TftpOutcome.PeerError or TftpOutcome.NoPeer or TftpOutcome.Replaced => ConnectionOutcome.PeerReset,
        TftpOutcome.Illegal => ConnectionOutcome.ProtocolViolation,
        TftpOutcome.Aborted => ConnectionOutcome.DrainAborted,
        TftpOutcome.Full or TftpOutcome.Unavailable => ConnectionOutcome.StorageUnavailable,
        _ => ConnectionOutcome.Completed,
    };

    private static partial class Log
    {
        [LoggerMessage(EventId = 4701, EventName = "TftpEnded", Message =
            "TFTP {Direction} of {Name} by {Peer} ended: {Outcome}, {Bytes} bytes in {Seconds:0.000} s ({Rate} bytes/s), block size {BlockSize}, window {WindowSize}, {Resent} datagrams sent again")]
        public static partial void Ended(ILogger logger, LogLevel level, string direction, string name, PeerAddress peer, TftpOutcome outcome, long bytes, double seconds, long rate,
            int blockSize, int windowSize, long resent);

        [LoggerMessage(4702, LogLevel.Information, "TFTP {Direction} of {Name} by {Peer} goes on: {Bytes} bytes of {Total}, {Rate} bytes/s", EventName = "TftpProgress")]
        public static partial void Progress(ILogger logger, string direction, string name, PeerAddress peer, long bytes, long total, long rate);
    }
}
