using FsCheck;
using FsCheck.Fluent;

namespace Perch.Wire.Tests;

internal static class Properties
{
    /// <summary>Runs <paramref name="body"/> on generated values; a failure names the value and the seed.</summary>
    public static void ForAll<T>(Gen<T> generator, int count, Action<T> body) =>
        Check.One(
            Config.QuickThrowOnFailure.WithMaxTest(count).WithQuietOnSuccess(true),
            Prop.ForAll(Arb.From(generator), body));
}
