using System.ComponentModel.DataAnnotations;
using System.Net;
using System.Text;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Perch.Wire.Files;

namespace Perch.Files.S3;

/// <summary>From the operator's keys to the SDK's client.</summary>
internal static class S3Settings
{
    private const string DefaultRegion = "us-east-1";
    private const int MaxPrefixBytes = 512;
    private static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(5);

    /// <summary>
    /// How long a connection is used: a bucket's host name may move, and a connection to the server that it meant before works on.
    /// </summary>
    private static readonly TimeSpan ConnectionLifetime = TimeSpan.FromMinutes(1);

    /// <summary>What is wrong with the keys of an S3 store. No fault says a secret.</summary>
    public static IEnumerable<ValidationResult> Faults(S3Options options)
    {
        if (options.Bucket.Length == 0) yield return Fault("is empty, which the store S3 needs: the name of a bucket that is there", nameof(options.Bucket));
        else if (options.Bucket.Length > 255 || options.Bucket.Any(c => !char.IsAsciiLetterOrDigit(c) && c is not ('.' or '-' or '_')))
            yield return Fault("is not the name of a bucket: letters, digits, '.', '-' and '_'", nameof(options.Bucket));
        if (PrefixFault(options.Prefix) is { } prefix) yield return Fault(prefix, nameof(options.Prefix));
        if (options.ServiceUrl.Length > 0 && !IsService(options.ServiceUrl))
            yield return Fault("is not the address of a server: http:// or https://, a host, and maybe a port, such as https://s3.example.org:9000", nameof(options.ServiceUrl));
        if (options.Region.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '-')) yield return Fault("is not the name of a region, such as eu-central-1", nameof(options.Region));
        if (options is { Region: "", ServiceUrl: "" } && FallbackRegionFactory.GetRegionEndpoint(includeInstanceMetadata: false) is null)
            yield return Fault("is empty, and neither AWS_REGION nor a profile names one: write the region of the bucket, or a ServiceUrl", nameof(options.Region));
        if (options.AccessKey.Length > 0 != options.SecretKey.Length > 0)
            yield return Fault("goes with SecretKey: write both, or neither for what the SDK finds (environment, profile, role)", nameof(options.AccessKey));
        if (options.SessionToken.Length > 0 && options.AccessKey.Length == 0) yield return Fault("goes with AccessKey and SecretKey: write them too", nameof(options.SessionToken));
    }

    public static AmazonS3Client CreateClient(S3Options options)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = options.PathStyle,
            RetryMode = RequestRetryMode.Standard,
            MaxErrorRetry = options.Retries,
            Timeout = options.Timeout,
            TelemetryProvider = S3Tracing.Create(),
            HttpClientFactory = new HttpClients(),
            RequestChecksumCalculation = options.Checksums == S3Checksums.WhenRequired ? RequestChecksumCalculation.WHEN_REQUIRED : RequestChecksumCalculation.WHEN_SUPPORTED,
            ResponseChecksumValidation = options.Checksums == S3Checksums.WhenRequired ? ResponseChecksumValidation.WHEN_REQUIRED : ResponseChecksumValidation.WHEN_SUPPORTED,
        };
        if (options.ServiceUrl.Length > 0)
        {
            config.ServiceURL = options.ServiceUrl;
            config.AuthenticationRegion = options.Region.Length > 0 ? options.Region : DefaultRegion;
        }
        else if (options.Region.Length > 0)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(options.Region);
        }

        return options.AccessKey.Length == 0 ? new(config)
            : new(options.SessionToken.Length == 0 ? new BasicAWSCredentials(options.AccessKey, options.SecretKey) : new SessionAWSCredentials(options.AccessKey, options.SecretKey, options.SessionToken), config);
    }

    /// <summary>The SDK's own settings, and a bounded life of connections, for which the SDK has no key.</summary>
    private sealed class HttpClients : HttpClientFactory
    {
        public override HttpClient CreateHttpClient(IClientConfig clientConfig) => new(new SocketsHttpHandler
        {
            ConnectTimeout = ConnectTimeout,
            PooledConnectionLifetime = ConnectionLifetime,
            AllowAutoRedirect = clientConfig.AllowAutoRedirect,
            AutomaticDecompression = DecompressionMethods.None,
        })
        {
            Timeout = clientConfig.Timeout ?? System.Threading.Timeout.InfiniteTimeSpan,
        };
    }

    private static ValidationResult Fault(string text, string key) => new(text, [key]);

    private static bool IsService(string text) =>
        Uri.TryCreate(text, UriKind.Absolute, out var url) && url is { Scheme: "http" or "https", UserInfo: "", Query: "", Fragment: "", AbsolutePath: "/" };

    private static string? PrefixFault(string prefix) =>
        prefix.Length == 0 ? null
        : !FileName.TryParsePrefix(prefix, out _, out var fault) ? $"cannot be the begin of keys: {fault}"
        : prefix[^1] != '/' ? $"does not end with a slash: write {prefix}/"
        : Encoding.UTF8.GetByteCount(prefix) > MaxPrefixBytes ? $"is longer than {MaxPrefixBytes} bytes"
        : null;
}
