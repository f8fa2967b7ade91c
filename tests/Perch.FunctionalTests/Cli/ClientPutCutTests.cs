namespace Perch.FunctionalTests.Cli;

/// <summary>A class of its own, so that it runs beside its sister.</summary>
public sealed class ClientPutCutTests
{
    [Fact]
    public Task Put_WithEitherSideKilled_FinishesWithTheRightHash() => TransferCuts.RunAsync(isPut: true);
}
