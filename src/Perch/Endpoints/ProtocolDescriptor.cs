using System.Reflection;
using Perch.Connections;

namespace Perch.Endpoints;

/// <summary>A registered protocol.</summary>
internal sealed record ProtocolDescriptor(string Name, Type HandlerType, Type OptionsType)
{
    public bool ServerSpeaksFirst { get; } = HandlerType.GetCustomAttribute<ServerSpeaksFirstAttribute>() is not null;
}

/// <summary>The options of a protocol that has none: any key is a fault.</summary>
internal sealed class NoOptions;
