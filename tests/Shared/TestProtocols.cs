using Perch.Files;
using Perch.Protocols;
using Perch.Records;
using Perch.Tftp;

namespace Perch.Tests.Shared;

internal static class TestProtocols
{
    /// <summary>Registers all protocols, with the stores of this machine.</summary>
    public static PerchBuilder AddAllProtocols(this PerchBuilder builder) => builder.AddBuiltInProtocols().AddRecords().AddFiles().AddTftp();
}
