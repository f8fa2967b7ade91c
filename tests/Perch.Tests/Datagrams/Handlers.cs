using System.Buffers;
using System.Text;
using Perch.Datagrams;
using Perch.Messages;
using Perch.Wire;

namespace Perch.Tests.Datagrams;

/// <summary>What a test does with a message; a service, so that a test can hand it in.</summary>
internal sealed record OnMessage(Func<MessageContext, ReadOnlySequence<byte>, ValueTask> Handle);

/// <summary>What a test does with a datagram.</summary>
internal sealed record OnDatagram(Func<DatagramContext, ReadOnlyMemory<byte>, ValueTask> Handle);

internal sealed class TestOptions : MessageOptions
{
    public string Prefix { get; set; } = "";
}

/// <summary>Echoes with a prefix, and answers a message that begins with <c>!</c> with an error.</summary>
internal sealed class PrefixHandler(TestOptions options) : MessageHandler<TestOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message)
    {
        if (message.FirstSpan is [(byte)'!', ..] or [(byte)'E', (byte)'R', (byte)'R', ..]) throw new ProtocolException("malformed", "no");
        if (message.FirstSpan is [(byte)'?', ..]) throw new InvalidOperationException("The handler is at fault.");
        context.Reply.Write(Encoding.UTF8.GetBytes(Options.Prefix));
        foreach (var segment in message) context.Reply.Write(segment.Span);
        return ValueTask.CompletedTask;
    }

    protected override void WriteError(MessageContext context, ProtocolException error) =>
        context.Reply.Write(Encoding.UTF8.GetBytes($"ERR {error.Code}"));
}

internal sealed class MessageDelegate(TestOptions options, OnMessage on) : MessageHandler<TestOptions>(options)
{
    protected override ValueTask OnMessageAsync(MessageContext context, ReadOnlySequence<byte> message) => on.Handle(context, message);
}

internal sealed class DatagramDelegate(TestOptions options, OnDatagram on) : DatagramHandler<TestOptions>(options)
{
    protected internal override ValueTask OnDatagramAsync(DatagramContext context, ReadOnlyMemory<byte> payload) => on.Handle(context, payload);
}
