using System.Reflection;
using Microsoft.AspNetCore.Connections;
using Perch.Connections;
using Perch.Datagrams;

namespace Perch.Endpoints;

/// <summary>A registered protocol.</summary>
/// <param name="Name">Its name in the configuration.</param>
/// <param name="HandlerType">A <see cref="ConnectionHandler"/>, a <see cref="DatagramHandler"/>, or both in one as a message handler is.</param>
/// <param name="OptionsType">What the endpoint's <c>Options</c> are read into.</param>
/// <param name="DatagramHandlerType">What serves UDP where that is another class.</param>
internal sealed record ProtocolDescriptor(string Name, Type HandlerType, Type OptionsType, Type? DatagramHandlerType = null)
{
    public bool ServerSpeaksFirst { get; } = HandlerType.GetCustomAttribute<ServerSpeaksFirstAttribute>() is not null;

    public bool Serves(EndpointTransport transport) => transport == EndpointTransport.Udp
        ? DatagramHandlerType is not null || HandlerType.IsAssignableTo(typeof(DatagramHandler)) || HandlerType.IsAssignableTo(typeof(IMessageDatagrams))
        : HandlerType.IsAssignableTo(typeof(ConnectionHandler));

    /// <summary>The key of the handler among the services.</summary>
    public string KeyOf(EndpointTransport transport) => transport == EndpointTransport.Udp && DatagramHandlerType is not null ? DatagramKey(Name) : Name;

    public static string DatagramKey(string name) => $"{name} (udp)";
}

/// <summary>The options of a protocol that has none: any key is a fault.</summary>
internal sealed class NoOptions;
