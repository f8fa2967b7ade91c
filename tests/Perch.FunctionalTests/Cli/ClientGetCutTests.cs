namespace Perch.FunctionalTests.Cli;

/// <summary>A class of its own, so that it runs beside its sister.</summary>
public sealed class ClientGetCutTests
{
    [Fact]
    public Task Get_WithEitherSideKilled_FinishesWithTheRightHash() => TransferCuts.RunAsync(isPut: false);
}
