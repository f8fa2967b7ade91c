namespace Perch.FunctionalTests.Files.S3;

/// <summary>A test that needs the servers of <see cref="S3Server"/>.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class S3FactAttribute : FactAttribute
{
    public S3FactAttribute() => Skip = S3Server.SkipReason;
}
