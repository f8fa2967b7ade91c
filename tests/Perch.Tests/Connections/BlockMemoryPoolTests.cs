using Perch.Connections;

namespace Perch.Tests.Connections;

public sealed class BlockMemoryPoolTests : IDisposable
{
    private readonly BlockMemoryPool _pool = new();

    public void Dispose() => _pool.Dispose();

    [Fact]
    public void Rent_AnySize_IsAWholeBlock()
    {
        using var block = _pool.Rent(1);

        Assert.Equal((64 * 1024, 64 * 1024), (block.Memory.Length, _pool.MaxBufferSize));
        Assert.Throws<ArgumentOutOfRangeException>(() => _pool.Rent(BlockMemoryPool.BlockSize + 1));
    }

    [Fact]
    public void Rent_AfterAReturn_IsTheSameMemory()
    {
        var first = _pool.Rent();
        first.Memory.Span[0] = 42;
        Assert.Equal(0, _pool.Kept);
        first.Dispose();
        Assert.Equal(1, _pool.Kept);

        Assert.Equal(42, _pool.Rent().Memory.Span[0]);
        Assert.Equal(0, _pool.Kept);
    }

    [Fact]
    public void Dispose_Twice_KeepsTheBlockOnce()
    {
        var block = _pool.Rent();
        block.Dispose();
        block.Dispose();

        Assert.Equal(1, _pool.Kept);
        Assert.NotSame(_pool.Rent(), _pool.Rent());
    }

    [Fact]
    public void Dispose_MoreThanAreKept_GoesNoFurther()
    {
        var blocks = Enumerable.Range(0, BlockMemoryPool.MaxKept + 3).Select(_ => _pool.Rent()).ToList();
        foreach (var block in blocks) block.Dispose();

        Assert.Equal((1024, 1024), (BlockMemoryPool.MaxKept, _pool.Kept));
    }
}
