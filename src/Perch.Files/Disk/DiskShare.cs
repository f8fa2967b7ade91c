namespace Perch.Files.Disk;

/// <summary>The entry of one unfinished upload in <see cref="DiskQuota"/>, which alone changes it. It is counted once and removed once.</summary>
internal sealed class DiskShare
{
    /// <summary>Bytes that the quota counts for the upload.</summary>
    public long Bytes { get; set; }

    /// <summary>The peer that the upload is counted for; null for one that an earlier process left.</summary>
    public UploadSource? Source { get; set; }

    /// <summary>False after the upload was published or dropped.</summary>
    public bool IsCounted { get; set; } = true;
}
