using Perch.Messages;

namespace Perch.Protocols.Daytime;

/// <summary>Options of <c>daytime</c>.</summary>
public sealed class DaytimeOptions : MessageOptions;
