using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Perch.Files.S3;

/// <summary>Adds an S3 bucket as a store of files.</summary>
public static class S3Registration
{
    /// <summary>The name for <c>Perch:Files:Store</c>.</summary>
    public const string StoreName = "S3";

    /// <summary>Adds the store <see cref="StoreName"/>: a bucket of Amazon S3 or of a server with its protocol, which several processes can share.</summary>
    /// <param name="builder">The builder, with files (<see cref="FileRegistration.AddFiles"/>).</param>
    /// <returns>The builder.</returns>
    public static PerchBuilder AddS3Files(this PerchBuilder builder) => builder.AddFileStore<S3Options>(StoreName, static services =>
    {
        var options = services.GetRequiredService<S3Options>();
        var spool = Path.GetFullPath(options.Spool, services.GetRequiredService<IHostEnvironment>().ContentRootPath);
        return new S3FileStore(
            S3Settings.CreateClient(options), options, spool, services.GetRequiredService<TimeProvider>(), services.GetRequiredService<ILogger<S3FileStore>>());
    });
}
