using System.Globalization;

namespace Perch.Cli.Bench;

/// <summary>Processor seconds that processes have used.</summary>
internal static class ProcessorTime
{
    private const double TicksPerSecond = 100;
    private const int UserField = 11;

    public static double OfThisProcess() => OperatingSystem.IsBrowser() ? 0 : Environment.CpuUsage.TotalTime.TotalSeconds;

    /// <returns>Null where none was named, it is gone, or the system is not Linux.</returns>
    public static double? Of(int? process)
    {
        if (process is null || !OperatingSystem.IsLinux()) return null;
        try
        {
            var text = File.ReadAllText($"/proc/{process}/stat");
            // The name of the process, in brackets, may have spaces.
            var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
            return (double.Parse(fields[UserField], CultureInfo.InvariantCulture) + double.Parse(fields[UserField + 1], CultureInfo.InvariantCulture)) / TicksPerSecond;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
