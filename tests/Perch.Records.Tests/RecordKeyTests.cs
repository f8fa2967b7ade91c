using System.Text;

namespace Perch.Records.Tests;

public sealed class RecordKeyTests
{
    private static readonly string Longest = new('s', RecordKey.MaxSenderBytes);

    public static TheoryData<string, int, long, int> Keys => new()
    {
        { "@a/0 x", 1, 0, 5 },
        { "@a/1 ", 1, 1, 5 },
        { "@a/1  two spaces", 1, 1, 5 },
        { "@A-z.0_9/42 x", 7, 42, 12 },
        { "@./7 x", 1, 7, 5 },
        { "@a/007 x", 1, 7, 7 },
        { "@a/9223372036854775807 x", 1, long.MaxValue, 23 },
        { "@a/00000000000000000000000000000000000000009223372036854775807 x", 1, long.MaxValue, 63 },
        { $"@{Longest}/1 x", 64, 1, 68 },
    };

    public static TheoryData<string> NoKeys => new()
    {
        "",
        "@",
        "@a",
        "@a/",
        "@a/1",
        "@a/1\t",
        "@a/1\n",
        "@a/ 1 x",
        "@a/1x x",
        "@a/0x1 x",
        "@a/1.0 x",
        "@a/1,000 x",
        "@a/1e3 x",
        "@a/-1 x",
        "@a/+1 x",
        "@a/-0 x",
        "@a/9223372036854775808 x",
        "@a/18446744073709551617 x",
        "@a/99999999999999999999999999 x",
        "@/1 x",
        "@ a/1 x",
        "@a b/1 x",
        "@a\0/1 x",
        "@a@b/1 x",
        "@a//1 x",
        "@a/b/1 x",
        "@a\\b/1 x",
        "@a:b/1 x",
        "@é/1 x",
        "@データ/1 x",
        "@a/１ x",
        "@a/1\u00a0x",
        $"@{Longest}s/1 x",
        $"@{Longest}{Longest}/1 x",
        "a@a/1 x",
        " @a/1 x",
        "＠a/1 x",
    };

    [Theory]
    [MemberData(nameof(Keys))]
    public void Parse_Key_IsTaken(string message, int sender, long sequence, int length) =>
        Assert.Equal(new RecordKey(sender, sequence, length), RecordKey.Parse(Encoding.UTF8.GetBytes(message)));

    [Theory]
    [MemberData(nameof(NoKeys))]
    public void Parse_AnythingElse_IsNoKey(string message) =>
        Assert.Equal(default, RecordKey.Parse(Encoding.UTF8.GetBytes(message)));

    [Fact]
    public void Parse_EveryByteAsSender_OnlyNamedOnesAreTaken()
    {
        var taken = Enumerable.Range(0, 256).Where(b => RecordKey.Parse([(byte)'@', (byte)b, (byte)'/', (byte)'1', (byte)' ']).Length > 0);
        Assert.Equal("-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz", string.Concat(taken.Select(b => (char)b)));
    }

    [Fact]
    public void Parse_EveryCutOfAKey_IsNoKey()
    {
        var key = "@sender/123 "u8.ToArray();
        Assert.All(Enumerable.Range(0, key.Length), length => Assert.Equal(default, RecordKey.Parse(key.AsSpan(0, length))));
    }
}
