using Perch.Messages;

namespace Perch.Protocols.Discard;

/// <summary>Options of <c>discard</c>.</summary>
public sealed class DiscardOptions : MessageOptions;
