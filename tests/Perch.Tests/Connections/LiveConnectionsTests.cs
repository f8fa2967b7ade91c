using Microsoft.Extensions.Time.Testing;
using Perch.Connections;
using Perch.Tests.Shared;

namespace Perch.Tests.Connections;

public sealed class LiveConnectionsTests
{
    private readonly LiveConnections _live = new();

    [Theory]
    [InlineData(1)]
    [InlineData(16)]
    [InlineData(17)]
    [InlineData(1000)]
    public void Remove_AnyOrder_LeavesTheOthersAndEachOnce(int count)
    {
        var connections = Enumerable.Range(0, count).Select(_ => New()).ToArray();
        foreach (var connection in connections) _live.Add(connection);
        var left = connections.ToHashSet();
        var random = new Random(count);
        random.Shuffle(connections);
        foreach (var connection in connections)
        {
            Assert.Equal(left.Count, _live.Count);
            Assert.True(left.SetEquals(_live.All().ToArray()));
            Assert.True(_live.Remove(connection));
            Assert.False(_live.Remove(connection));
            left.Remove(connection);
        }

        Assert.True(_live.All().IsEmpty);
        Assert.Equal(-1, _live.Glance().IndexOfAnyExcept((ConnectionState?)null));
    }

    [Fact]
    public void Remove_NeverAdded_IsFalse()
    {
        _live.Add(New());
        Assert.False(_live.Remove(New()));
        Assert.Equal(1, _live.Count);
    }

    [Fact]
    public void Remove_MostOfMany_GivesMemoryBack()
    {
        var connections = Enumerable.Range(0, 10_000).Select(_ => New()).ToArray();
        foreach (var connection in connections) _live.Add(connection);
        foreach (var connection in connections.Skip(10)) _live.Remove(connection);

        Assert.InRange(_live.Glance().Length, 10, 64);
    }

    private static ConnectionState New() => new(new InMemoryConnection(), new("e", "p"), new FakeTimeProvider());
}
