namespace Perch.Cli.Net;

/// <summary>How to speak TLS.</summary>
/// <param name="CaPath">PEM file of the certificates to trust; null: those of the system.</param>
/// <param name="CertificatePath">PEM file of the client's certificate; null: none.</param>
/// <param name="KeyPath">PEM file of its key; null: in the same file.</param>
/// <param name="ServerName">The name to ask for; null: the host.</param>
/// <param name="IsInsecure">Whether any certificate is taken.</param>
internal sealed record TlsSettings(string? CaPath = null, string? CertificatePath = null, string? KeyPath = null, string? ServerName = null, bool IsInsecure = false)
{
    public bool IsAnySet => CaPath is not null || CertificatePath is not null || KeyPath is not null || ServerName is not null || IsInsecure;
}
