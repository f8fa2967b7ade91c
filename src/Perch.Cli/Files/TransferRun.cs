using System.Threading.Channels;
using Perch.Cli.Net;
using Perch.Wire;

namespace Perch.Cli.Files;

/// <summary>
/// Runs jobs over several connections. A connection that breaks is opened again, and its job goes on with what is there; a
/// file that is refused is told, and the others go on.
/// </summary>
internal sealed class TransferRun(Dialer dialer, TransferOptions options, TransferScreen screen, Func<TransferResult, Task> report, Func<Failure, Task> fail) : IDisposable
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(2);

    private readonly RateLimit? _limit = options.LimitRate is { } rate ? new(rate, TimeProvider.System) : null;
    private readonly SemaphoreSlim _reporting = new(1);
    private int _exitCode;

    /// <returns>The exit code of the first failure, else 0.</returns>
    /// <exception cref="CliException">The server could not be reached at all.</exception>
    public async Task<int> RunAsync(IAsyncEnumerable<TransferJob> jobs, CancellationToken cancellationToken)
    {
        // The first connection fails at once, with its reason: nothing is tried again that never worked.
        var first = await RemoteFiles.OpenAsync(dialer, options.Tftp, cancellationToken);
        using var stopping = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var queue = Channel.CreateBounded<TransferJob>(options.Parallel);
        await screen.ShowAsync(async () =>
        {
            var workers = Enumerable.Range(0, options.Parallel).Select(number => WorkAsync(queue.Reader, number == 0 ? first : null, stopping)).ToList();
            try
            {
                await foreach (var job in jobs.WithCancellation(stopping.Token)) await queue.Writer.WriteAsync(job, stopping.Token);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // A worker has told why.
            }
            catch (Exception exception) when (exception is not OperationCanceledException && Failure.Of(exception) is { } failure)
            {
                await FailAsync(failure);
            }

            queue.Writer.TryComplete();
            await Task.WhenAll(workers);
        });
        cancellationToken.ThrowIfCancellationRequested();
        return _exitCode;
    }

    public void Dispose() => _reporting.Dispose();

    private async Task WorkAsync(ChannelReader<TransferJob> jobs, IRemoteFiles? remote, CancellationTokenSource stopping)
    {
        try
        {
            await foreach (var job in jobs.ReadAllAsync(stopping.Token))
            {
                var view = screen.Add(job.Label, job.Length);
                try
                {
                    remote = await RunAsync(job, remote, view, stopping);
                }
                finally
                {
                    view?.End();
                }
            }
        }
        catch (OperationCanceledException)
        {
            // Asked to stop; what is there can be resumed.
        }
        finally
        {
            if (remote is not null) await remote.DisposeAsync();
        }
    }

    /// <returns>The connection for the next job; null where it is of no use any more.</returns>
    private async Task<IRemoteFiles?> RunAsync(TransferJob job, IRemoteFiles? remote, ITransferView? view, CancellationTokenSource stopping)
    {
        var pause = FirstPause;
        var hasRestarted = false;
        for (var attempt = 0; ; attempt++)
        {
            var meter = new TransferMeter(_limit, view);
            Failure? failure;
            try
            {
                remote ??= await RemoteFiles.OpenAsync(dialer, options.Tftp, stopping.Token);
                var result = await job.RunAsync(remote, meter, stopping.Token);
                await ReportAsync(() => report(result));
                return remote;
            }
            catch (RestartException restart)
            {
                failure = hasRestarted ? new(ExitCode.Refused, $"{PeerText.Escape(job.Label)}: {restart.Message}") : null;
                hasRestarted = true;
            }
            catch (Exception exception) when (exception is not OperationCanceledException && Failure.Of(exception) is { } known)
            {
                failure = known;
            }

            var again = remote is { IsResumable: false } ? "Run it again." : "Run it again to go on.";
            if (remote is not null) await remote.DisposeAsync();
            remote = null;
            if (failure is null) continue;
            var isConnection = failure.ExitCode is ExitCode.Cut or ExitCode.TimedOut or ExitCode.Unreachable;
            if (meter.Bytes > 0) (attempt, pause) = (0, FirstPause);
            if (!isConnection || attempt >= options.Retries)
            {
                await FailAsync(isConnection ? failure with { Text = $"{PeerText.Escape(job.Label)}: {failure.Text} {again}" } : failure);
                if (isConnection) await stopping.CancelAsync();
                return null;
            }

            await Task.Delay(pause, stopping.Token);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    private Task FailAsync(Failure failure) => ReportAsync(() =>
    {
        if (_exitCode == 0) _exitCode = failure.ExitCode;
        return fail(failure);
    });

    private async Task ReportAsync(Func<Task> tell)
    {
        await _reporting.WaitAsync();
        try
        {
            await tell();
        }
        finally
        {
            _reporting.Release();
        }
    }
}
