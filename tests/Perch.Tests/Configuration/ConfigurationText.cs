using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Hosting;
using Perch.Configuration;
using Perch.Datagrams;
using Perch.Diagnostics;
using Perch.Endpoints;
using Perch.Messages;

namespace Perch.Tests.Configuration;

/// <summary>Reads a <c>Perch</c> section from JSON, as the host would in a content root of <c>/srv/perch</c>.</summary>
internal static class ConfigurationText
{
    public static PerchConfig Read(string json, params (string Key, string Value)[] environment)
    {
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(json));
        var configuration = new ConfigurationBuilder().AddJsonStream(stream)
            .AddInMemoryCollection(environment.Select(e => KeyValuePair.Create(e.Key, (string?)e.Value))).Build();
        var protocols = new ProtocolRegistry(
        [
            new("echo", typeof(ConnectionHandler), typeof(EchoTestOptions)),
            new("plain", typeof(ConnectionHandler), typeof(NoOptions)),
            new("message", typeof(MessageHandler<EchoTestOptions>), typeof(EchoTestOptions)),
            new("datagram", typeof(DatagramHandler), typeof(NoOptions)),
        ]);
        return new PerchConfigReader(configuration, protocols, new ContentRoot(), [new("Shared", typeof(EchoTestOptions))], [], [], DescriptorPlan.OfProcess).Read();
    }

    /// <summary>One endpoint, <c>e</c>, with these keys.</summary>
    public static string One(string keys) => $$"""{ "Perch": { "Endpoints": { "e": { {{keys}} } } } }""";

    /// <summary>Several endpoints of the protocol <c>plain</c>.</summary>
    public static string Several(params string[] keys) =>
        $$"""{ "Perch": { "Endpoints": { {{string.Join(", ", keys.Select((k, i) => $$""" "e{{i}}": { "Protocol": "plain", {{k}} } """))}} } } }""";

    public static IReadOnlyList<ConfigFault> FaultsOf(string json) =>
        Assert.Throws<PerchConfigurationException>(() => Read(json)).Faults;

    public static ConfigFault FaultOf(string json) => Assert.Single(FaultsOf(json));

    private sealed class ContentRoot : IHostEnvironment
    {
        public string EnvironmentName { get; set; } = "Test";

        public string ApplicationName { get; set; } = "Test";

        public string ContentRootPath { get; set; } = "/srv/perch";

        public IFileProvider ContentRootFileProvider { get; set; } = new NullFileProvider();
    }
}

internal sealed class EchoTestOptions : MessageOptions
{
    public string Prefix { get; set; } = "";

    public bool Loud { get; set; }

    public TimeSpan Delay { get; set; }
}
