using Microsoft.Extensions.DependencyInjection;
using Perch.Protocols.Bytes;
using Perch.Protocols.Chargen;
using Perch.Protocols.Daytime;
using Perch.Protocols.Discard;
using Perch.Protocols.Echo;
using Perch.Protocols.Files;
using Perch.Protocols.Hello;
using Perch.Protocols.Record;
using Perch.Protocols.Reply;
using Perch.Protocols.Tftp;

namespace Perch.Protocols;

/// <summary>Adds the protocols that come with Perch.</summary>
public static class PerchBuilderExtensions
{
    /// <summary>Registers every built-in protocol under its own name; an endpoint of the configuration puts one on a port.</summary>
    public static PerchBuilder AddBuiltInProtocols(this PerchBuilder builder)
    {
        // First, so that it sees the data before a store is opened.
        builder.Services.AddHostedService<DataModesCheck>();
        return builder
            .AddRecords()
            .AddFiles()
            .AddTftp()
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
}
