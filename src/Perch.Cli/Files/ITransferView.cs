namespace Perch.Cli.Files;

/// <summary>Watches one transfer.</summary>
internal interface ITransferView
{
    /// <summary>It begins, or begins again, with so many bytes to go; null where nobody knows.</summary>
    void Begin(long? missing);

    void Advance(int bytes);

    /// <summary>It is over, however it went.</summary>
    void End();
}
