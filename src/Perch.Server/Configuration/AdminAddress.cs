using System.Net;
using Perch.Endpoints;

namespace Perch.Server.Configuration;

/// <summary>The address of one entry of <c>Kestrel:Endpoints</c>, as Kestrel reads its <c>Url</c>.</summary>
internal sealed class AdminAddress
{
    private const int MaxPort = 65535;

    private const string Examples = "Write for example http://127.0.0.1:8080, http://*:8080 (every address) or http://unix:/run/perch.sock";

    private readonly BindingAddress _binding;

    private AdminAddress(BindingAddress binding) => _binding = binding;

    /// <summary>The path of the Unix socket; null for TCP.</summary>
    public string? UnixSocket => _binding.IsUnixPipe ? _binding.UnixPipePath : null;

    public int Port => _binding.Port;

    /// <summary>The sockets that Kestrel binds. Kestrel binds every address for a host name other than <c>localhost</c>.</summary>
    public IEnumerable<ListenAddress> Sockets
    {
        get
        {
            if (UnixSocket is { } path)
                return [new(null, 0, path, 1)];
            if (IsLocalhost)
                return [new(IPAddress.Loopback, Port, null, 1), new(IPAddress.IPv6Loopback, Port, null, 1)];
            return [new(IPAddress.TryParse(_binding.Host, out var address) ? address : IPAddress.IPv6Any, Port, null, 1)];
        }
    }

    /// <summary>The URL at which a client on this machine reaches the endpoint; over a Unix socket the host is only a name.</summary>
    public Uri LocalUrl
    {
        get
        {
            if (UnixSocket is not null)
                return new($"{_binding.Scheme}://localhost");
            var isAny = !IPAddress.TryParse(_binding.Host, out var address)
                || address.Equals(IPAddress.Any) || address.Equals(IPAddress.IPv6Any);
            return new($"{_binding.Scheme}://{(isAny ? "localhost" : _binding.Host)}:{Port}");
        }
    }

    private bool IsLocalhost => _binding.Host.Equals("localhost", StringComparison.OrdinalIgnoreCase);

    /// <returns>The address, or what is wrong with the text and what to write instead.</returns>
    public static (AdminAddress? Address, string? Problem, string? Cure) Parse(string url)
    {
        BindingAddress binding;
        try
        {
            binding = BindingAddress.Parse(url);
        }
        catch (FormatException)
        {
            return (null, $"'{url}' is not a URL", Examples);
        }

        var address = new AdminAddress(binding);
        if (binding.Scheme.ToUpperInvariant() is not ("HTTP" or "HTTPS"))
            return (null, $"'{url}' has a scheme that is neither http nor https", Examples);
        if (binding.IsNamedPipe && !OperatingSystem.IsWindows())
            return (null, $"'{url}' is a named pipe, which only Windows has", Examples);
        if (binding.PathBase.Length > 0)
            return (null, $"'{url}' has a path", "Remove the path: the admin endpoint has its pages at the root");
        if (address.UnixSocket is { } path)
            return Path.GetDirectoryName(path) is { } folder && Directory.Exists(folder)
                ? (address, null, null)
                : (null, $"the folder of '{path}' does not exist", "Create the folder, or write another path");
        if (binding.Port is < 0 or > MaxPort || (!binding.IsNamedPipe && binding.Host.LastIndexOf(':') > binding.Host.LastIndexOf(']')))
            return (null, $"'{url}' has no valid port", $"Write a port between 0 and {MaxPort}");
        return address.IsLocalhost && binding.Port == 0
            ? (null, $"'{url}' has port 0, which needs an address", "Write 127.0.0.1 in place of localhost, or a port")
            : (address, null, null);
    }
}
