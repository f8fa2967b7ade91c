namespace Perch.Cli.Net;

/// <summary>What carries the bytes.</summary>
internal enum Transport
{
    Tcp,
    Udp,
    Unix,
}
