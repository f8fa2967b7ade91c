using System.Reflection;
using Xunit.Sdk;

namespace Perch.Transport.Tests;

/// <summary>The case runs over each transport: Kestrel's own, which tells what is expected, and ours in its variants.</summary>
internal sealed class TransportsAttribute : DataAttribute
{
    /// <summary>Only ours: what Kestrel's transport does not promise.</summary>
    public bool DirectOnly { get; set; }

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) =>
        from transport in Enum.GetValues<TransportKind>()
        where !DirectOnly || transport is not (TransportKind.Sockets or TransportKind.SocketsUnix)
        select new object[] { transport };
}

public enum TransportKind
{
    Sockets,
    SocketsUnix,
    Direct,
    DirectOnThreadPool,
    DirectUnix,
    DirectIPv6,
    DirectServed,
}
