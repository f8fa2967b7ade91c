namespace Perch.Configuration;

/// <summary>One thing that is wrong with the configuration.</summary>
/// <param name="Key">The full key, e.g. <c>Perch:Endpoints:echo:Port</c>.</param>
/// <param name="Problem">What is wrong, with the value as it was read.</param>
/// <param name="Cure">What to write instead.</param>
public sealed record ConfigFault(string Key, string Problem, string Cure)
{
    /// <summary>What is wrong, without a full stop at the end: texts of exceptions have one.</summary>
    public string Problem { get; init; } = Problem.TrimEnd('.');

    /// <summary>What to write instead, without a full stop at the end.</summary>
    public string Cure { get; init; } = Cure.TrimEnd('.');

    /// <inheritdoc/>
    public override string ToString() => $"{Key}: {Problem}. {Cure}.";
}
