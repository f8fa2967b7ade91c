namespace Perch.Cli.Files;

/// <summary>The bytes of one transfer: counted for who watches, and held back by the rate limit.</summary>
/// <param name="limit">Null: none.</param>
/// <param name="view">Who watches; null: nobody.</param>
internal sealed class TransferMeter(RateLimit? limit, ITransferView? view)
{
    public const int LargestPiece = 256 * 1024;

    /// <summary>How many bytes to send at once.</summary>
    public int PieceBytes => limit?.PieceBytes ?? LargestPiece;

    /// <summary>Bytes that went over the wire.</summary>
    public long Bytes { get; private set; }

    /// <summary>How many bytes have to go over the wire, now that it is known what is there already; null where nobody knows.</summary>
    public void Begin(long? missing) => view?.Begin(missing);

    public async ValueTask AdvanceAsync(int bytes, CancellationToken cancellationToken)
    {
        if (limit is not null) await limit.TakeAsync(bytes, cancellationToken);
        Bytes += bytes;
        view?.Advance(bytes);
    }
}
