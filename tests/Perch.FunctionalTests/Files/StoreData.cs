using System.Reflection;
using Perch.FunctionalTests.Files.S3;
using Xunit.Sdk;

namespace Perch.FunctionalTests.Files;

/// <summary>Runs a test of the contract over the disk store.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class DiskDataAttribute : DataAttribute
{
    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => [[StoreScene.Disk]];
}

/// <summary>Runs a test over the S3 store and every server that speaks S3.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class S3DataAttribute : DataAttribute
{
    public S3DataAttribute() => Skip = S3Server.SkipReason;

    public override IEnumerable<object[]> GetData(MethodInfo testMethod) => S3Server.Kinds.Select(kind => new object[] { kind });
}
