using Microsoft.Extensions.DependencyInjection;

namespace Perch.Protocols.Tftp;

/// <summary>Adds the protocol <c>tftp</c>; its files are those of <c>AddFiles</c>.</summary>
internal static class TftpRegistration
{
    public static PerchBuilder AddTftp(this PerchBuilder builder)
    {
        builder.AddProtocol<TftpHandler, TftpOptions>("tftp");
        builder.Services.AddSingleton<TftpMetrics>();
        return builder;
    }
}
