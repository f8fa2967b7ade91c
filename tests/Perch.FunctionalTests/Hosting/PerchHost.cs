using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Perch.Server;
using Perch.Server.Admin;

namespace Perch.FunctionalTests.Hosting;

/// <summary>The server in this process, with whatever protocols a test adds to it.</summary>
internal sealed class PerchHost : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly RecordingWriter _log;

    private PerchHost(WebApplication app, ServerFolder folder, RecordingWriter log, string apiKey)
    {
        (_app, Folder, _log) = (app, folder, log);
        Admin = new(app.Urls.First(), apiKey);
    }

    public ServerFolder Folder { get; }

    public AdminClient Admin { get; }

    public IServiceProvider Services => _app.Services;

    public string Log => _log.ToString();

    public static async Task<PerchHost> StartAsync(
        ServerSettings settings, Action<PerchBuilder>? protocols = null, params string[] arguments)
    {
        var folder = new ServerFolder(settings);
        var log = new RecordingWriter();
        try
        {
            var builder = ServerApplication.CreateBuilder(ServerCommand.Parse(["--contentRoot", folder.Root, .. arguments]));
            var app = builder.BuildServer(formatter => new WriterSink(log, formatter), perch =>
            {
                protocols?.Invoke(perch);
                // The test runner's signals are its own.
                perch.Services.AddSingleton<IHostLifetime, NoSignals>();
            });
            app.MapAdmin();
            await app.StartAsync();
            return new(app, folder, log, settings.ApiKey);
        }
        catch
        {
            folder.Dispose();
            throw;
        }
    }

    public async Task<Client> ConnectAsync(string endpoint) => await Client.ConnectAsync(await Admin.GetPortAsync(endpoint));

    /// <summary>What a signal does.</summary>
    public Task StopAsync()
    {
        Services.GetRequiredService<IHostApplicationLifetime>().StopApplication();
        return _app.StopAsync();
    }

    public async ValueTask DisposeAsync()
    {
        Admin.Dispose();
        await StopAsync();
        await _app.DisposeAsync();
        Folder.Dispose();
    }

    private sealed class NoSignals : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }

    private sealed class RecordingWriter : TextWriter
    {
        private readonly StringBuilder _text = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            lock (_text) _text.Append(value);
        }

        public override string ToString()
        {
            lock (_text) return _text.ToString();
        }
    }
}
