using Microsoft.Extensions.DependencyInjection;

namespace Perch.Tftp;

/// <summary>Adds the protocol <c>tftp</c>; its files are those of <c>AddFiles</c>.</summary>
public static class TftpRegistration
{
    /// <summary>Adds the protocol <c>tftp</c>.</summary>
    /// <param name="builder">The builder, with files.</param>
    /// <returns>The builder.</returns>
    public static PerchBuilder AddTftp(this PerchBuilder builder)
    {
        builder.AddProtocol<TftpHandler, TftpOptions>("tftp");
        builder.Services.AddSingleton<TftpMetrics>();
        return builder;
    }
}
