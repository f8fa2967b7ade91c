using Microsoft.Extensions.Logging.Testing;

namespace Perch.Tests.Shared;

internal static class FakeLogs
{
    /// <summary>The events with a name, in order.</summary>
    public static FakeLogRecord[] Named(this FakeLogCollector log, string name) => [.. log.GetSnapshot().Where(e => e.Id.Name == name)];
}
