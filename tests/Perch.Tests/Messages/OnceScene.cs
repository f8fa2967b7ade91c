using System.IO.Pipelines;
using System.Text;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;
using Perch.Messages;
using Perch.Tests.Shared;
using Perch.Transport.Timers;

namespace Perch.Tests.Messages;

/// <summary>A reader of one message on virtual time. It runs within each call until it waits again.</summary>
internal sealed class OnceScene : IDisposable
{
    private readonly SharedTimerWheel _wheel;

    public OnceScene(int quietMilliseconds = 100)
    {
        // The test runner's context would post what is to run in line.
        SynchronizationContext.SetSynchronizationContext(null);
        _wheel = new(Time, NullLogger.Instance);
        Connection.Features.Set<IConnectionTimerFeature>(_wheel);
        Reader = new(Connection, TimeSpan.FromMilliseconds(quietMilliseconds), Time);
    }

    public FakeTimeProvider Time { get; } = new();

    public InMemoryConnection Connection { get; } = new(pauseThreshold: 4 * 1024 * 1024, scheduler: PipeScheduler.Inline);

    public OnceReader Reader { get; }

    /// <summary>Reads to the end of the message, and consumes nothing before that.</summary>
    public async Task<string> ReadMessageAsync()
    {
        while (true)
        {
            var read = await Reader.ReadAsync();
            if (read.IsCompleted)
            {
                var text = Encoding.UTF8.GetString(read.Buffer);
                Reader.AdvanceTo(read.Buffer.End);
                return text;
            }

            Reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    public void Pass(int milliseconds) => Time.Advance(TimeSpan.FromMilliseconds(milliseconds));

    public void Dispose()
    {
        Reader.Dispose();
        _wheel.Dispose();
    }
}
