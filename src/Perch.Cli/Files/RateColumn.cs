using Perch.Cli.CommandLine;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Perch.Cli.Files;

/// <summary>Bytes a second, in the same units.</summary>
internal sealed class RateColumn : ProgressColumn
{
    protected override bool NoWrap => true;

    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
        new Text(task.Speed is { } speed ? $"{ByteSize.Format(speed)}/s" : "?/s").RightJustified();
}
