namespace Perch.Endpoints;

/// <summary>The options of an endpoint's protocol. They are equal if they were read from the same text.</summary>
/// <param name="Value">An object of <see cref="ProtocolDescriptor.OptionsType"/>.</param>
/// <param name="Text">The keys and values that it was read from.</param>
internal sealed record ProtocolOptions(object Value, string Text)
{
    public bool Equals(ProtocolOptions? other) => other is not null && Text == other.Text;

    public override int GetHashCode() => StringComparer.Ordinal.GetHashCode(Text);
}
