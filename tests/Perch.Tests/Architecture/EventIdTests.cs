using System.Globalization;
using System.Text.RegularExpressions;

namespace Perch.Tests.Architecture;

/// <summary>An event's id finds its line in the source, and its thousand tells what it is about.</summary>
public sealed partial class EventIdTests
{
    private static readonly List<(int Id, string File)> Events =
    [
        .. from file in Repository.Sources()
            from Match match in LoggerMessage().Matches(File.ReadAllText(file))
            select (int.Parse(match.Groups["id"].Value, CultureInfo.InvariantCulture), Path.GetRelativePath(Repository.PathOf("src"), file).Replace('\\', '/')),
    ];

    [Fact]
    public void EventIds_EveryLoggerMessage_HasOne()
    {
        var attributes = Repository.Sources().Sum(file => Regex.Count(File.ReadAllText(file), @"\[LoggerMessage\b", RegexOptions.None, TimeSpan.FromSeconds(10)));

        Assert.Equal(attributes, Events.Count);
        Assert.NotEmpty(Events);
    }

    [Fact]
    public void EventIds_AllOfThem_AreUnique() => Assert.Empty(Events.GroupBy(e => e.Id).Where(g => g.Count() > 1).Select(g => string.Join(", ", g)));

    [Fact]
    public void EventIds_AllOfThem_AreInTheirRange() => Assert.DoesNotContain(Events, e => !IsInRange(e.Id, e.File));

    private static bool IsInRange(int id, string file) => file.Split('/') switch
    {
        // Its event had an id before it moved here.
        ["Perch.Server", "DataModesCheck.cs"] => id is 4550,
        ["Perch.Transport", ..] => id is >= 1100 and < 1150,
        ["Perch", "Endpoints" or "Lifecycle" or "Configuration", ..] or ["Perch.Server", ..] => id is >= 1000 and < 2000,
        ["Perch", "Connections" or "Messages" or "Diagnostics", ..] => id is >= 2000 and < 3000,
        ["Perch", "Datagrams", ..] => id is >= 3000 and < 4000,
        ["Perch", "Stores", ..] => id >= 4000,
        ["Perch.Protocols" or "Perch.Records" or "Perch.Records.Postgres" or "Perch.Files" or "Perch.Files.S3" or "Perch.Tftp", ..] => id >= 4000,
        _ => false,
    };

    [GeneratedRegex(@"\[LoggerMessage\s*\(\s*(?:EventId\s*=\s*)?(?<id>\d+)\s*,", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LoggerMessage();
}
