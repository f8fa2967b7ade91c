namespace Perch.Files.S3;

/// <summary>What has to be under a key for a PUT to be made (RFC 9110, section 13.1); the default is no condition.</summary>
/// <param name="IsNew">Nothing.</param>
/// <param name="ETag">The object with this ETag.</param>
internal readonly record struct S3Condition(bool IsNew, string? ETag)
{
    public bool IsSet => IsNew || ETag is not null;

    public static S3Condition New => new(IsNew: true, null);

    public static S3Condition Still(string etag) => new(IsNew: false, etag);
}
