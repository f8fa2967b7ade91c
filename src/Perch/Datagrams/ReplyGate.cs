namespace Perch.Datagrams;

/// <summary>What every reply passes: the budget of what it answers, then the rate of its source. What is held back is counted.</summary>
internal sealed class ReplyGate(TimeProvider time)
{
    private readonly ReplyRates _rates = new(time.TimestampFrequency);

    /// <param name="traffic">Counts what is held back.</param>
    /// <param name="peer">Whom to send to.</param>
    /// <param name="payload">Bytes to send.</param>
    /// <param name="budget">Bytes on the wire that what it answers allows.</param>
    /// <param name="perSecond">The cap of one source; 0 is none.</param>
    /// <param name="now">A time stamp of the time provider.</param>
    public bool MaySend(DatagramTraffic traffic, in PeerAddress peer, int payload, int budget, int perSecond, long now)
    {
        if (ReplyBudget.WireBytes(payload, peer.IsIPv4) > budget) traffic.Drop(DropReason.Budget);
        else if (!_rates.TryTake(peer, perSecond, now)) traffic.Drop(DropReason.Rate);
        else return true;
        return false;
    }
}
