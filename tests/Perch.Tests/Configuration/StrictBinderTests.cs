using System.ComponentModel.DataAnnotations;
using Microsoft.Extensions.Configuration;
using Perch.Configuration;

namespace Perch.Tests.Configuration;

public sealed class StrictBinderTests
{
    [Fact]
    public void Read_IValidatableObject_IsAsked()
    {
        var fault = Assert.Single(Bind(new Span(), ("From", "5"), ("To", "3")));

        Assert.Equal(new ConfigFault("Here:To", "is less than From", "Correct the value"), fault);
    }

    [Fact]
    public void Read_RequiredKeyMissing_IsAFault() => Assert.Equal("Here:Name", Assert.Single(Bind(new Named())).Key);

    [Fact]
    public void Read_NestedOptions_AreBoundAndValidated()
    {
        var target = new Outer();

        Assert.Empty(Bind(target, ("Inner:From", "1"), ("Inner:To", "2")));
        Assert.Equal((1, 2), (target.Inner.From, target.Inner.To));
        Assert.Equal("Here:Inner:To", Assert.Single(Bind(target, ("Inner:From", "9"))).Key);
    }

    [Fact]
    public void Read_KeysInAnyCaseAndReadElsewhere_AreKnown()
    {
        var target = new Named();
        var faults = new List<ConfigFault>();
        new StrictBinder(faults).Read(Section(("NAME", "x"), ("other", "y")), target, "Other");

        Assert.Empty(faults);
        Assert.Equal("x", target.Name);
    }

    [Fact]
    public void Read_PropertyWithoutPublicSetter_IsUnknown() => Assert.Equal(
        new ConfigFault("Here:Fixed", "is not a known key", "Known here: Name"), Assert.Single(Bind(new Named { Name = "x" }, ("Fixed", "1"))));

    [Fact]
    public void Read_WrongKind_KeepsTheDefaultAndIsNotValidatedAgain()
    {
        var target = new Span { From = 1, To = 2 };

        Assert.Equal("Here:From", Assert.Single(Bind(target, ("From", "x"))).Key);
        Assert.Equal(1, target.From);
    }

    private static List<ConfigFault> Bind(object target, params (string Key, string? Value)[] keys)
    {
        var faults = new List<ConfigFault>();
        new StrictBinder(faults).Read(Section(keys), target);
        return faults;
    }

    private static IConfigurationSection Section(params (string Key, string? Value)[] keys) => new ConfigurationBuilder()
        .AddInMemoryCollection(keys.Select(k => KeyValuePair.Create($"Here:{k.Key}", k.Value))).Build().GetSection("Here");

    private sealed class Span : IValidatableObject
    {
        public int From { get; set; }

        public int To { get; set; }

        public IEnumerable<ValidationResult> Validate(ValidationContext validationContext) =>
            To < From ? [new("is less than From", [nameof(To)])] : [];
    }

    private sealed class Named
    {
        [Required]
        public string? Name { get; set; }

        public int Fixed { get; private set; }
    }

    private sealed class Outer
    {
        public Span Inner { get; set; } = new();
    }
}
