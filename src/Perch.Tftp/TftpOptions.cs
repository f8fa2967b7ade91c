using System.ComponentModel.DataAnnotations;
using System.Net;
using Perch.Wire.Files;
using Perch.Wire.Tftp;

namespace Perch.Tftp;

/// <summary>Options of <c>tftp</c>.</summary>
internal sealed class TftpOptions : IValidatableObject
{
    /// <summary>Whether files are read. Default true.</summary>
    public bool AllowRead { get; set; } = true;

    /// <summary>Whether files are written. Default false: TFTP knows no users, so everybody who reaches the port could.</summary>
    public bool AllowWrite { get; set; }

    /// <summary>Whether a write may replace a file that is there. Default false.</summary>
    public bool AllowOverwrite { get; set; }

    /// <summary>The folder of the store that peers see, and the only one. Default empty: all of the store.</summary>
    public string Folder { get; set; } = "";

    /// <summary>
    /// Whether names of requests are mapped to lower case, for clients that ask for any case of a name. Files with upper case letters
    /// cannot be reached then. Default false.
    /// </summary>
    public bool LowerCase { get; set; }

    /// <summary>
    /// Whether transfers talk from the endpoint's port, which is what passes a container's published ports and NAT. Default: true in
    /// a container (<c>DOTNET_RUNNING_IN_CONTAINER</c>), else false.
    /// </summary>
    public bool SinglePort { get; set; } = IsInContainer;

    /// <summary>
    /// The networks whose peers may have <see cref="SinglePort"/>, since with it nothing shows that a request was not forged; all
    /// others are served from a port of each transfer's own. Default: the networks that are private, local or shared.
    /// </summary>
    public string[] SinglePortNetworks { get; set; } =
        ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7", "fe80::/10"];

    /// <summary>The largest block that a peer may ask for, in bytes. Default 65,464; what the way to the peer carries is the limit too.</summary>
    [Range(TftpOptionSet.DefaultBlockSize, TftpOptionSet.MaxBlockSize)]
    public int MaxBlockSize { get; set; } = TftpOptionSet.MaxBlockSize;

    /// <summary>The longest window that a peer may ask for, in blocks. Default 64; a window never takes more than 512 KiB.</summary>
    [Range(1, TftpOptionSet.MaxWindowSize)]
    public int MaxWindowSize { get; set; } = 64;

    /// <summary>
    /// When a packet that is not answered is sent again, where the peer has not said it. Doubled with each time, to eight times.
    /// Default 1 second.
    /// </summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:04:15")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How often a packet is sent again before the transfer is given up. Default 5: after 31 seconds.</summary>
    [Range(1, 100)]
    public int Retries { get; set; } = 5;

    /// <summary>Most transfers at once; the next is told to try again. Default 256; each may take 800 KiB.</summary>
    [Range(1, 100_000)]
    public int MaxTransfers { get; set; } = 256;

    /// <summary>Most transfers at once of one source, an IPv4 address or the /64 of an IPv6 one. Default 64.</summary>
    [Range(1, 100_000)]
    public int MaxTransfersPerSource { get; set; } = 64;

    private static bool IsInContainer => Environment.GetEnvironmentVariable("DOTNET_RUNNING_IN_CONTAINER") is "true" or "1";

    /// <inheritdoc/>
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        foreach (var network in SinglePortNetworks)
        {
            if (!IPNetwork.TryParse(network, out _)) yield return new($"'{network}' is no network: write an address and a length, such as 192.168.0.0/16", [nameof(SinglePortNetworks)]);
        }

        if (Folder.Length > 0 && !FileName.TryParse($"{Folder}/x", out _, out var fault)) yield return new($"cannot be a folder: {fault}", [nameof(Folder)]);
    }
}
