using Perch.Cli.CommandLine;
using Spectre.Console;
using Spectre.Console.Rendering;

namespace Perch.Cli.Files;

/// <summary>The bytes of a transfer, in the client's units (KiB, MiB); the library's column names them KB and MB.</summary>
internal sealed class TransferredColumn : ProgressColumn
{
    protected override bool NoWrap => true;

    public override IRenderable Render(RenderOptions options, ProgressTask task, TimeSpan deltaTime) =>
        new Text(ByteSize.Format(task.Value, task.MaxValue)).RightJustified();
}
