namespace Perch.FunctionalTests.Tutorials;

/// <summary>A dialogue of one client with a tutorial's server and with Perch.</summary>
/// <param name="System">Number of the system in the table of docs/tutorials/en/README.md.</param>
/// <param name="Server">Program in the folder servers and its arguments; <c>{folder}</c> is a folder of the test.</param>
/// <param name="Endpoint">Perch's endpoint that takes the place of the server.</param>
/// <param name="Client">Program in the folder clients and its arguments.</param>
internal sealed record Dialogue(int System, string[] Server, string Endpoint, string[] Client)
{
    /// <summary>Standard input of the client.</summary>
    public string Input { get; init; } = "";

    /// <summary>Patterns of the lines that both servers print, in their order.</summary>
    public (string Tutorial, string Perch)[] Lines { get; init; } = [];
}
