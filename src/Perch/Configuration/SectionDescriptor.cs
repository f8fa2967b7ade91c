namespace Perch.Configuration;

/// <summary>A section under <c>Perch</c> that a package of protocols brings, such as <c>Perch:Records</c>.</summary>
internal sealed record SectionDescriptor(string Name, Type OptionsType);
