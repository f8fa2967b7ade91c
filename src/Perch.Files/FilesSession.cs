using System.IO.Pipelines;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Transport;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>
/// One connection of <c>files</c>: a command at a time, its answer behind that of the one before. What cannot be understood
/// ends it, since what follows could be the contents of a file and is not taken for commands.
/// </summary>
internal sealed partial class FilesSession
{
    private const int FlushThreshold = 64 * 1024;

    /// <summary>Half of what may wait to be sent: the next half is read while this one is on its way.</summary>
    private const int ReadBytes = 32 * 1024;

    /// <summary>What the system sends of a file in one go, where both its ends are in memory.</summary>
    private const int SendFileBytes = 4 * 1024 * 1024;

    private readonly FilesOptions _options;
    private readonly FileStoreService _files;
    private readonly ILogger _logger;
    private readonly PipeReader _input;
    private readonly PipeWriter _output;
    private readonly IPerchConnectionFeature? _feature;
    private ISendFileFeature? _sendFile;
    private readonly CancellationToken _draining;
    private readonly ConnectionContext _connection;
    private readonly string _endpoint;
    private FileBody? _body;
    private long _scanned;
    private bool _isWithinCommand;

    public FilesSession(ConnectionContext connection, FilesOptions options, FileStoreService files, ILogger logger)
    {
        (_connection, _options, _files, _logger) = (connection, options, files, logger);
        (_input, _output) = (connection.Transport.Input, connection.Transport.Output);
        _feature = connection.Features.Get<IPerchConnectionFeature>();
        _sendFile = connection.Features.Get<ISendFileFeature>();
        _draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;
        _endpoint = _feature?.Endpoint ?? "";
    }

    public async Task RunAsync()
    {
        await using var drain = _draining.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
        try
        {
            while (await NextAsync() is { } command && await ServeAsync(command))
            {
                if (_feature is not null) _feature.Messages++;
                if (_output.UnflushedBytes >= FlushThreshold && !await FlushAsync()) return;
            }

            await FlushAsync();
        }
        catch (ProtocolException violation)
        {
            Error(violation.Code, violation.Message);
            await FlushAsync();
            throw;
        }
    }

    /// <returns>Null where the connection is to end.</returns>
    private async ValueTask<FileCommand?> NextAsync()
    {
        while (true)
        {
            // Answers wait for the commands that have arrived already, not for those that have not.
            if (!_input.TryRead(out var read))
            {
                // A command that has partly arrived is the one in hand. The drain may have begun within the last one.
                if (_draining.IsCancellationRequested && !_isWithinCommand) return null;
                if (!await FlushAsync()) return null;
                read = await _input.ReadAsync();
            }

            var buffer = read.Buffer;
            FileCommand? command = null;
            try
            {
                if (FileCommand.TryRead(ref buffer, ref _scanned, out command))
                {
                    _isWithinCommand = false;
                    return command;
                }
            }
            finally
            {
                _input.AdvanceTo(buffer.Start, command is null ? buffer.End : buffer.Start);
            }

            if (read.IsCompleted) return buffer.IsEmpty ? null : throw new ProtocolException("truncated", "The stream ended inside a command.");
            _isWithinCommand = !buffer.IsEmpty;
        }
    }

    /// <returns>False where the connection is to end.</returns>
    private async ValueTask<bool> ServeAsync(FileCommand command)
    {
        if (command.Verb == FileVerb.Quit)
        {
            Write("OK");
            _feature?.TrySetOutcome(ConnectionOutcome.Completed);
            return false;
        }

        if (command.Verb == FileVerb.Put)
        {
            await PutAsync(command);
            return true;
        }

        try
        {
            Check(command);
            var store = await _files.GetAsync();
            switch (command.Verb)
            {
                case FileVerb.Get:
                    return await GetAsync(store, command.Name!, command);
                case FileVerb.Stat:
                    await StatAsync(store, command.Name!);
                    break;
                case FileVerb.Delete:
                    await DeleteAsync(store, command.Name!);
                    break;
                default:
                    await ListAsync(store, command);
                    break;
            }
        }
        catch (FileStoreException refusal)
        {
            Refuse(refusal);
        }

        return true;
    }

    private async ValueTask PutAsync(FileCommand command)
    {
        using var transfer = _files.Metrics.BeginUpload(_endpoint);
        var body = NewBody(command.PayloadBytes);
        try
        {
            Check(command);
            var stored = await ReceiveAsync(command, body, transfer);
            transfer.Outcome = "completed";
            PerchTracing.MarkStored("perch.file.bytes", stored.Length);
            Log.Stored(_logger, PeerText.Escape(stored.Name.Value), stored.Length, stored.Sha256, _endpoint);
            Write($"OK {stored.Length} sha256={stored.Sha256}");
            return;
        }
        catch (FileStoreException refusal)
        {
            transfer.Outcome = refusal.Code;
            Refuse(refusal);
        }

        // Told at once: a client that reads while it sends need not send all. What it sends is passed over.
        if (body.Left > 0 && await FlushAsync()) await body.SkipAsync();
    }

    private FileBody NewBody(long? length)
    {
        var heartbeat = _connection.Features.Get<IConnectionHeartbeatFeature>();
        // Once for all: a connection may bring many.
        if (_body is null) heartbeat?.OnHeartbeat(static session => ((FilesSession)session)._body!.OnHeartbeat(), this);
        return _body = new(_input, length, isBeating: heartbeat is not null);
    }

    private async ValueTask<StoredFile> ReceiveAsync(FileCommand command, FileBody body, FileMetrics.FileTransfer transfer)
    {
        var store = await _files.GetAsync();
        if (body.Left > 0 && _output.UnflushedBytes > 0) await FlushAsync();
        var request = new FileUploadRequest(command.Name!)
        {
            Length = command.Length,
            Offset = command.Offset,
            Sha256 = command.Sha256,
            Endpoint = _endpoint,
            Remote = _feature?.Peer ?? "",
        };
        await using var upload = request.Offset == 0
            ? await store.BeginAsync(request, CancellationToken.None)
            : await new ResumedBegin(store, body, _connection.ConnectionClosed).BeginAsync(request);
        await body.ReceiveAsync(upload, transfer);
        return await upload.CompleteAsync();
    }

    private async ValueTask<bool> GetAsync(IFileStore store, FileName name, FileCommand command)
    {
        await using var snapshot = await store.OpenReadAsync(name, CancellationToken.None) ?? throw NotFound();
        var file = snapshot.File;
        if (command.Offset > file.Length) throw new FileStoreException("range", $"the file has {file.Length} bytes");
        var left = Math.Min(command.Length ?? long.MaxValue, file.Length - command.Offset);
        using var transfer = _files.Metrics.BeginDownload(_endpoint);
        Write($"OK {left} sha256={file.Sha256} total={file.Length}");
        try
        {
            for (var at = command.Offset; left > 0;)
            {
                var sent = await SendFileAsync(snapshot, at, left);
                // What kept it from being sent is found by a read and a flush.
                if (sent == 0) sent = await CopyAsync(snapshot, at, left);
                transfer.Add(sent);
                (at, left) = (at + sent, left - sent);
                if (!await FlushAsync()) return false;
            }
        }
        catch (FileStoreException failure)
        {
            // The line said how much would come: only the end of the connection can take it back.
            transfer.Outcome = failure.Code;
            _files.Failed(failure);
            _feature?.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
            _connection.Abort(new ConnectionAbortedException("The file could not be read to its end."));
            return false;
        }

        transfer.Outcome = "completed";
        return true;
    }

    /// <returns>How many bytes were sent; 0 where they cannot be sent this way.</returns>
    private async ValueTask<long> SendFileAsync(IFileSnapshot snapshot, long offset, long length)
    {
        var slice = Math.Min(length, SendFileBytes);
        if (_sendFile is null || slice <= ReadBytes || snapshot.FindInMemory(offset, slice) is not { } file) return 0;
        try
        {
            return await _sendFile.SendFileAsync(file, offset, slice);
        }
        catch (IOException)
        {
            // A file system that cannot is not asked again; a disk that fails is found by the read.
            _sendFile = null;
            return 0;
        }
    }

    /// <returns>How many bytes were written, and are not flushed yet.</returns>
    private async ValueTask<int> CopyAsync(IFileSnapshot snapshot, long offset, long length)
    {
        var memory = _output.GetMemory(ReadBytes);
        var read = await snapshot.ReadAsync(offset, memory[..(int)Math.Min(memory.Length, length)], CancellationToken.None);
        _output.Advance(read);
        return read;
    }

    private async ValueTask StatAsync(IFileStore store, FileName name)
    {
        var status = await store.StatAsync(name, CancellationToken.None);
        Write(status switch
        {
            { File: { } file, Partial: > 0 } => $"OK {FileText.Describe(file)} partial={status.Partial}",
            { File: { } file } => $"OK {FileText.Describe(file)}",
            { Partial: > 0 } => $"OK partial={status.Partial}",
            _ => throw NotFound(),
        });
    }

    private async ValueTask ListAsync(IFileStore store, FileCommand command)
    {
        var files = await store.ListAsync(command.Prefix, command.After, command.Limit, CancellationToken.None);
        Write($"OK {files.Count}");
        foreach (var file in files) Write(FileText.Line(file));
    }

    private async ValueTask DeleteAsync(IFileStore store, FileName name)
    {
        if (!await store.DeleteAsync(name, CancellationToken.None)) throw NotFound();
        _files.Metrics.Deleted(_endpoint);
        Log.Deleted(_logger, PeerText.Escape(name.Value), _endpoint);
        Write("OK");
    }

    private void Check(FileCommand command)
    {
        var isAllowed = command.Verb switch
        {
            FileVerb.Put => _options.AllowPut,
            FileVerb.Get => _options.AllowGet,
            FileVerb.List => _options.AllowList,
            FileVerb.Delete => _options.AllowDelete,
            _ => true,
        };
        if (!isAllowed) throw new FileStoreException("forbidden", "this endpoint does not allow it");
        if (command.NameFault is { } fault) throw new FileStoreException("name", fault);
    }

    private void Refuse(FileStoreException refusal)
    {
        _files.Failed(refusal);
        Log.Refused(_logger, _endpoint, refusal.Code, refusal.Text);
        Error(refusal.Code, refusal.Text);
    }

    private void Error(string code, string text) => Write($"ERR {code} {text}");

    private void Write(string line)
    {
        var length = Encoding.UTF8.GetByteCount(line);
        var span = _output.GetSpan(length + 1);
        Encoding.UTF8.GetBytes(line, span);
        span[length] = (byte)'\n';
        _output.Advance(length + 1);
    }

    /// <returns>False where the peer is gone.</returns>
    private async ValueTask<bool> FlushAsync() => _output.UnflushedBytes == 0 || !(await _output.FlushAsync()).IsCompleted;

    private static FileStoreException NotFound() => new("not-found", "there is no file of this name");

    private static partial class Log
    {
        [LoggerMessage(4520, LogLevel.Information, "File {Name} was stored: {Bytes} bytes, sha256 {Sha256}, endpoint {Endpoint}", EventName = "FileStored")]
        public static partial void Stored(ILogger logger, string name, long bytes, string sha256, string endpoint);

        [LoggerMessage(4521, LogLevel.Information, "File {Name} was deleted, endpoint {Endpoint}", EventName = "FileDeleted")]
        public static partial void Deleted(ILogger logger, string name, string endpoint);

        [LoggerMessage(4522, LogLevel.Information, "A command of endpoint {Endpoint} was refused: {Code}: {Reason}", EventName = "FileCommandRefused")]
        public static partial void Refused(ILogger logger, string endpoint, string code, string reason);
    }
}
