using System.IO.Pipelines;

namespace Perch.Tests.Shared;

/// <summary>Shows one byte more in each read, however much has arrived: the worst way in which TCP may cut a stream.</summary>
internal sealed class OneByteReader(PipeReader inner) : PipeReader
{
    private ReadResult _shown;
    private long _seen;

    public override async ValueTask<ReadResult> ReadAsync(CancellationToken cancellationToken = default) =>
        Show(await inner.ReadAsync(cancellationToken));

    public override bool TryRead(out ReadResult result)
    {
        if (!inner.TryRead(out result)) return false;
        result = Show(result);
        return true;
    }

    public override void AdvanceTo(SequencePosition consumed) => AdvanceTo(consumed, consumed);

    public override void AdvanceTo(SequencePosition consumed, SequencePosition examined)
    {
        _seen = _shown.Buffer.Slice(consumed, examined).Length;
        inner.AdvanceTo(consumed, examined);
    }

    public override void CancelPendingRead() => inner.CancelPendingRead();

    public override void Complete(Exception? exception = null) => inner.Complete(exception);

    private ReadResult Show(in ReadResult all)
    {
        var length = Math.Min(all.Buffer.Length, _seen + 1);
        _shown = length == all.Buffer.Length ? all : new(all.Buffer.Slice(0, length), all.IsCanceled, isCompleted: false);
        return _shown;
    }
}
