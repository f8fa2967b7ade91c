namespace Perch.Records;

/// <summary>Measures the bytes that the store occupies, for the metric: at the start and then twice a minute.</summary>
internal sealed class RecordStoreSize(IRecordStore store, RecordMetrics metrics, TimeProvider time)
{
    private static readonly TimeSpan Period = TimeSpan.FromSeconds(30);

    /// <summary>Runs until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        using var timer = new PeriodicTimer(Period, time);
        try
        {
            do
            {
                await MeasureAsync(cancellationToken);
            }
            while (await timer.WaitForNextTickAsync(cancellationToken));
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private async Task MeasureAsync(CancellationToken cancellationToken)
    {
        try
        {
            metrics.SetStoreSize(await store.SizeAsync(cancellationToken));
        }
        catch (Exception exception) when (exception is RecordStoreException or IOException or UnauthorizedAccessException)
        {
            // Health and log report the failure of the store; the size is the last known one.
        }
    }
}
