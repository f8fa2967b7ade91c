namespace Perch.Files.Disk;

/// <summary>Bytes and files that one uploader may still write, reserved in <see cref="DiskQuota"/>, which alone changes it.</summary>
internal sealed class DiskReservation(DiskShare share)
{
    /// <summary>The upload that the bytes go into.</summary>
    public DiskShare Share { get; } = share;

    /// <summary>Bytes reserved and not yet written.</summary>
    public long Bytes { get; set; }

    /// <summary>True if one file of <c>MaxFiles</c> is reserved.</summary>
    public bool HasFile { get; set; }

    /// <summary>False after the release.</summary>
    public bool IsOpen { get; set; } = true;
}
