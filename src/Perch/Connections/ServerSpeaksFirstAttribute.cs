namespace Perch.Connections;

/// <summary>
/// Marks a handler whose peer may stay silent after it connected because the server opens the dialogue:
/// <c>FirstByteTimeout</c> does not apply to it, <c>IdleTimeout</c> does.
/// </summary>
[AttributeUsage(AttributeTargets.Class)]
public sealed class ServerSpeaksFirstAttribute : Attribute;
