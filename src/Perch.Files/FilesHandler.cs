using Microsoft.AspNetCore.Connections;
using Microsoft.Extensions.Logging;

namespace Perch.Files;

/// <summary>Files by name: <c>PUT</c>, <c>GET</c>, <c>STAT</c>, <c>LIST</c>, <c>DELETE</c>; pipelined, answered in order.</summary>
internal sealed class FilesHandler : ConnectionHandler
{
    private readonly FilesOptions _options;
    private readonly FileStoreService _files;
    private readonly ILogger<FilesHandler> _logger;

    public FilesHandler(FilesOptions options, FileStoreService files, ILogger<FilesHandler> logger)
    {
        (_options, _files, _logger) = (options, files, logger);
        files.Need();
    }

    public override Task OnConnectedAsync(ConnectionContext connection) => new FilesSession(connection, _options, _files, _logger).RunAsync();
}
