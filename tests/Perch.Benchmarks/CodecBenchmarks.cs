using System.Buffers;
using System.Text;
using BenchmarkDotNet.Attributes;
using BenchmarkDotNet.Columns;
using BenchmarkDotNet.Configs;
using BenchmarkDotNet.Diagnosers;
using BenchmarkDotNet.Exporters;
using BenchmarkDotNet.Jobs;
using BenchmarkDotNet.Loggers;
using BenchmarkDotNet.Toolchains.InProcess.Emit;
using Perch.Wire.Framings;
using Perch.Wire.Tftp;

namespace Perch.Benchmarks;

/// <summary>What it costs to cut a stream into messages and to read and write packets, without any I/O. Times are of one message.</summary>
public class CodecBenchmarks
{
    private const int Messages = 1000;

    private const int MessageBytes = 64;

    private readonly byte[] _packet = new byte[TftpRequest.MaxBytes];
    private readonly byte[] _request = Encoding.ASCII.GetBytes("\0\u0001firmware/image.bin\0octet\0blksize\01428\0windowsize\064\0tsize\00\0");
    private ReadOnlySequence<byte> _lines;
    private ReadOnlySequence<byte> _splitLines;
    private ReadOnlySequence<byte> _lengths;
    private ReadOnlySequence<byte> _syslog;

    /// <summary>In this process: a generated project would be restored, and there may be no net.</summary>
    internal static IConfig Config { get; } = ManualConfig.CreateEmpty()
        .AddJob(Job.Default.WithMaxIterationCount(20).WithToolchain(InProcessEmitToolchain.Instance))
        .AddDiagnoser(MemoryDiagnoser.Default)
        .AddColumnProvider(DefaultColumnProviders.Instance)
        .AddLogger(ConsoleLogger.Default)
        .AddExporter(MarkdownExporter.GitHub)
        .WithArtifactsPath(Path.Combine(Path.GetTempPath(), "perch-codecs"));

    [GlobalSetup]
    public void SetUp()
    {
        var text = new string('x', MessageBytes);
        _lines = Repeat(text + "\n");
        _splitLines = Split(_lines.ToArray(), 1460);
        _lengths = Repeat("\0\0\0@" + text);
        _syslog = Repeat($"{MessageBytes} <{text[1..]}");
    }

    [Benchmark(OperationsPerInvoke = Messages)]
    public int Lines() => Count(Framing.Line, _lines);

    /// <summary>In segments as the network brings them: one line of 22 lies across two.</summary>
    [Benchmark(OperationsPerInvoke = Messages)]
    public int LinesInSegments() => Count(Framing.Line, _splitLines);

    [Benchmark(OperationsPerInvoke = Messages)]
    public int Lengths() => Count(Framing.Length, _lengths);

    [Benchmark(OperationsPerInvoke = Messages)]
    public int Syslog() => Count(Framing.Syslog, _syslog);

    [Benchmark]
    public bool TftpRequestRead() => TftpRequest.TryParse(_request, out _, out _);

    /// <summary>Header, and what the peer reads of it.</summary>
    [Benchmark]
    public int TftpData()
    {
        TftpPacket.WriteDataHeader(_packet, 7);
        return TftpPacket.TryReadData(_packet.AsSpan(0, TftpPacket.HeaderBytes + 1428), out var block, out var data) ? block + data.Length : throw new InvalidOperationException("No data.");
    }

    [Benchmark]
    public int TftpAcknowledgment()
    {
        TftpPacket.WriteAcknowledgment(_packet, 7);
        return TftpPacket.TryReadAcknowledgment(_packet.AsSpan(0, TftpPacket.HeaderBytes), out var block) ? block : throw new InvalidOperationException("No acknowledgment.");
    }

    private static int Count(Framing framing, ReadOnlySequence<byte> buffer)
    {
        var (frames, count) = (new FrameReader(framing, 1024), 0);
        while (frames.TryRead(ref buffer, out _)) count++;
        return count == Messages ? count : throw new InvalidOperationException($"{count} messages.");
    }

    private static ReadOnlySequence<byte> Repeat(string message) => new(Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat(message, Messages))));

    private static ReadOnlySequence<byte> Split(byte[] bytes, int size)
    {
        var first = new Segment(bytes.AsMemory(0, size), 0);
        var last = first;
        for (var at = size; at < bytes.Length; at += size) last = last.Append(bytes.AsMemory(at, Math.Min(size, bytes.Length - at)));
        return new(first, 0, last, last.Memory.Length);
    }

    private sealed class Segment : ReadOnlySequenceSegment<byte>
    {
        public Segment(ReadOnlyMemory<byte> memory, long position) => (Memory, RunningIndex) = (memory, position);

        public Segment Append(ReadOnlyMemory<byte> memory)
        {
            var next = new Segment(memory, RunningIndex + Memory.Length);
            Next = next;
            return next;
        }
    }
}
