namespace Perch.Files.S3;

/// <summary>What goes with requests and answers beside the signature to tell damaged bytes.</summary>
internal enum S3Checksums
{
    /// <summary>Wherever the protocol has a place for them.</summary>
    WhenSupported,

    /// <summary>Only where the protocol asks for them: for servers that do not know them.</summary>
    WhenRequired,
}
