using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Files;

/// <summary>Stores all bytes of a connection, to the peer's half-close, as one file under a name of the server's.</summary>
internal sealed class UploadHandler : ConnectionHandler
{
    private readonly UploadOptions _options;
    private readonly FileStoreService _files;
    private readonly TimeProvider _time;
    private readonly ILogger<UploadHandler> _logger;

    public UploadHandler(UploadOptions options, FileStoreService files, TimeProvider time, ILogger<UploadHandler> logger)
    {
        (_options, _files, _time, _logger) = (options, files, time, logger);
        files.Need();
    }

    public override Task OnConnectedAsync(ConnectionContext connection) => new UploadSession(connection, _options, _files, _time, _logger).RunAsync();
}
