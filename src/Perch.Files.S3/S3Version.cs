using Amazon.S3.Model;

namespace Perch.Files.S3;

/// <summary>Which of the objects that have had a key one is.</summary>
/// <param name="ETag">Of its bytes.</param>
/// <param name="VersionId">Where the bucket keeps versions; else null.</param>
internal readonly record struct S3Version(string ETag, string? VersionId)
{
    // A bucket without versions answers with nothing, or with the word.
    public static S3Version Of(GetObjectResponse response) => new(response.ETag, response.VersionId is { Length: > 0 } id && id != "null" ? id : null);
}
