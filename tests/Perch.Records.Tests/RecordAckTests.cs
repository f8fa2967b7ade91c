using System.Buffers;
using System.Text;
using Perch.Tests.Shared;

namespace Perch.Records.Tests;

public sealed class RecordAckTests
{
    [Theory]
    [InlineData("{id}\n", "7\n9223372036854775807\n0\n")]
    [InlineData("OK {id} stored\n", "OK 7 stored\nOK 9223372036854775807 stored\nOK 0 stored\n")]
    [InlineData("OK {id}", "OK 7OK 9223372036854775807OK 0")]
    [InlineData("{id}", "792233720368547758070")]
    [InlineData("済\n", "済\n済\n済\n")]
    [InlineData("{ID}\n", "{ID}\n{ID}\n{ID}\n")]
    [InlineData("{id\n", "{id\n{id\n{id\n")]
    [InlineData("{id}={id}\n", "7={id}\n9223372036854775807={id}\n0={id}\n")]
    [InlineData("", "")]
    public void Write_Batch_AnswersEachRecordInOrder(string template, string expected)
    {
        var batch = Batches.Of("a", "b", "c");
        batch.SetId(0, 7);
        batch.SetId(1, long.MaxValue);
        var output = new ArrayBufferWriter<byte>();
        var ack = new RecordAck(template);
        Assert.Equal(3, ack.Write(output, batch, 0, int.MaxValue));
        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal(template.Length == 0, ack.IsSilent);
    }

    [Theory]
    [InlineData(RecordAck.MaxTemplateBytes, 0)]
    [InlineData(0, RecordAck.MaxTemplateBytes - 4)]
    [InlineData(500, 520)]
    public void Write_LongTemplate_IsWhole(int before, int after)
    {
        var template = new string('<', before) + (after > 0 ? "{id}" : "") + new string('>', after);
        var batch = Batches.Of([.. Enumerable.Repeat("x", 100)]);
        for (var i = 0; i < 100; i++) batch.SetId(i, long.MaxValue - i);
        var output = new ArrayBufferWriter<byte>();
        new RecordAck(template).Write(output, batch, 0, int.MaxValue);
        var expected = string.Concat(Enumerable.Range(0, 100).Select(i => template.Replace("{id}", $"{long.MaxValue - i}")));
        Assert.Equal(expected, Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void Write_MoreThanTheBound_GoesOnWhereItEnded()
    {
        var batch = Batches.Of("a", "b", "c", "d", "e");
        for (var i = 0; i < 5; i++) batch.SetId(i, i);
        var output = new ArrayBufferWriter<byte>();
        var ack = new RecordAck("OK {id}\n");
        // Five bytes each: the third is the one that passes the bound.
        Assert.Equal(3, ack.Write(output, batch, 0, most: 11));
        Assert.Equal("OK 0\nOK 1\nOK 2\n", Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal(5, ack.Write(output, batch, 3, most: 11));
        Assert.Equal("OK 0\nOK 1\nOK 2\nOK 3\nOK 4\n", Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Theory]
    [InlineData(3, int.MaxValue, 3)]
    [InlineData(0, int.MaxValue, 0)]
    [InlineData(3, 40, 2)]
    public void WriteError_Refused_IsALineEachUntilTheBound(int records, int most, int lines)
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.Equal(records - lines, RecordAck.WriteError(output, "full", records, most));
        Assert.Equal(string.Concat(Enumerable.Repeat("ERR full not stored, send it again\n", lines)), Encoding.UTF8.GetString(output.WrittenSpan));
    }

    [Fact]
    public void WriteError_Violation_SaysCodeAndText()
    {
        var output = new ArrayBufferWriter<byte>();
        RecordAck.WriteError(output, "too-long", "A message may have at most 4 bytes.");
        Assert.Equal("ERR too-long A message may have at most 4 bytes.\n"u8, output.WrittenSpan);
    }

    [Theory]
    [InlineData(RecordAck.MaxTemplateBytes, true)]
    [InlineData(RecordAck.MaxTemplateBytes + 1, false)]
    public async Task Options_AckAroundTheBound_IsTakenOrRefused(int length, bool taken)
    {
        var options = $$"""{ "Ack": "{{new string('x', length)}}" }""";
        if (taken) await (await RecordHost.StartAsync(options)).DisposeAsync();
        else Assert.Contains("Ack", (await Assert.ThrowsAnyAsync<Exception>(() => RecordHost.StartAsync(options))).ToString());
    }

    [Theory]
    [InlineData("""{ "MaxInFlight": 0 }""")]
    [InlineData("""{ "MaxInFlight": 65 }""")]
    [InlineData("""{ "Ackk": "OK" }""")]
    public async Task Options_OutOfRangeOrUnknown_AreRefused(string options) =>
        await Assert.ThrowsAsync<Configuration.PerchConfigurationException>(() => RecordHost.StartAsync(options));
}
