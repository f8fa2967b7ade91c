using Perch.Protocols.Bytes;
using Perch.Protocols.Chargen;
using Perch.Protocols.Daytime;
using Perch.Protocols.Discard;
using Perch.Protocols.Echo;
using Perch.Protocols.Hello;
using Perch.Protocols.Reply;

namespace Perch.Protocols;

/// <summary>Adds the protocols that need nothing but a connection or a datagram.</summary>
public static class PerchBuilderExtensions
{
    /// <summary>Registers every protocol of this assembly under its own name; an endpoint of the configuration puts one on a port.</summary>
    public static PerchBuilder AddBuiltInProtocols(this PerchBuilder builder) =>
        builder
            .AddProtocol<EchoHandler, EchoOptions>("echo")
            .AddProtocol<EchoConversationHandler, EchoOptions>("echo-conversation")
            .AddProtocol<EchoBlockingHandler, EchoBlockingOptions>("echo-blocking")
            .AddProtocol<EchoRawHandler, EchoOptions>("echo-raw")
            .AddProtocol<HelloHandler, HelloOptions>("hello")
            .AddProtocol<ReplyHandler, ReplyOptions>("reply")
            .AddProtocol<BytesHandler, BytesOptions>("bytes")
            .AddProtocol<DiscardHandler, DiscardOptions>("discard")
            .AddProtocol<DaytimeHandler, DaytimeOptions>("daytime")
            .AddProtocol<ChargenHandler>("chargen");
}
