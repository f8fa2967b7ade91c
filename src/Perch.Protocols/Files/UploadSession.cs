using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Wire.Files;

namespace Perch.Protocols.Files;

/// <summary>One connection of <c>upload</c>. What does not come to its end is dropped: nobody knows its name.</summary>
internal sealed partial class UploadSession(ConnectionContext connection, UploadOptions options, FileStoreService files, TimeProvider time, ILogger logger)
{
    private readonly PipeReader _input = connection.Transport.Input;
    private readonly PipeWriter _output = connection.Transport.Output;
    private readonly IPerchConnectionFeature? _feature = connection.Features.Get<IPerchConnectionFeature>();
    private readonly CancellationToken _draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;

    private string Endpoint => _feature?.Endpoint ?? "";

    /// <summary>In the order of their times, and no two the same.</summary>
    public static string NewLeaf(DateTimeOffset now) =>
        $"{now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss.ffffff'Z'", CultureInfo.InvariantCulture)}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";

    public async Task RunAsync()
    {
        // One that has sent nothing yet ends with the drain; an upload that has begun is the message in hand.
        await using var drain = _draining.UnsafeRegister(static input => ((PipeReader)input!).CancelPendingRead(), _input);
        if (!await BeginsAsync()) return;
        using var transfer = files.Metrics.BeginUpload(Endpoint);
        try
        {
            var stored = await ReceiveAsync(transfer);
            transfer.Outcome = "completed";
            PerchTracing.MarkStored("perch.file.bytes", stored.Length);
            if (_feature is not null) _feature.Messages++;
            Log.Stored(logger, stored.Name.Value, stored.Length, stored.Sha256, Endpoint);
            await WriteAsync(options.Ack.Replace("{name}", stored.Name.Value, StringComparison.Ordinal));
            _feature?.TrySetOutcome(ConnectionOutcome.Completed);
        }
        catch (FileStoreException refusal)
        {
            transfer.Outcome = refusal.Code;
            await RefuseAsync(refusal);
        }
    }

    /// <returns>False where there is nothing to store.</returns>
    private async ValueTask<bool> BeginsAsync()
    {
        while (true)
        {
            var read = await _input.ReadAsync();
            _input.AdvanceTo(read.Buffer.Start);
            if (!read.Buffer.IsEmpty) return true;
            if (read.IsCompleted) return options.AllowEmpty;
            if (_draining.IsCancellationRequested) return false;
        }
    }

    private async ValueTask<StoredFile> ReceiveAsync(FileMetrics.FileTransfer transfer)
    {
        var store = await files.GetAsync();
        var leaf = NewLeaf(time.GetUtcNow());
        if (!FileName.TryParse(options.Folder.Length == 0 ? leaf : $"{options.Folder}/{leaf}", out var name, out var fault)) throw new InvalidOperationException(fault);
        await using var upload = await store.BeginAsync(new(name) { Endpoint = Endpoint, Remote = _feature?.Peer ?? "" }, CancellationToken.None);
        try
        {
            var heartbeat = connection.Features.Get<IConnectionHeartbeatFeature>();
            var body = new FileBody(_input, length: null, isBeating: heartbeat is not null);
            heartbeat?.OnHeartbeat(static body => ((FileBody)body).OnHeartbeat(), body);
            await body.ReceiveAsync(upload, transfer);
            return await upload.CompleteAsync();
        }
        catch
        {
            await upload.AbortAsync();
            throw;
        }
    }

    /// <summary>Tells why, and reads on: a close with bytes unread would be a reset, and the peer would not see the answer.</summary>
    private async ValueTask RefuseAsync(FileStoreException refusal)
    {
        files.Failed(refusal);
        Log.Refused(logger, Endpoint, refusal.Code, refusal.Text);
        if (refusal.IsStoreFault) _feature?.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
        await WriteAsync($"ERR {refusal.Code} {refusal.Text}\n");
        for (var isCompleted = false; !isCompleted;)
        {
            var read = await _input.ReadAsync();
            _input.AdvanceTo(read.Buffer.End);
            isCompleted = read.IsCompleted || _draining.IsCancellationRequested;
        }
    }

    private async ValueTask WriteAsync(string text) => await _output.WriteAsync(Encoding.UTF8.GetBytes(text));

    private static partial class Log
    {
        [LoggerMessage(4530, LogLevel.Information, "File {Name} was uploaded: {Bytes} bytes, sha256 {Sha256}, endpoint {Endpoint}", EventName = "FileUploaded")]
        public static partial void Stored(ILogger logger, string name, long bytes, string sha256, string endpoint);

        [LoggerMessage(4531, LogLevel.Information, "An upload to endpoint {Endpoint} was refused: {Code}: {Reason}", EventName = "FileUploadRefused")]
        public static partial void Refused(ILogger logger, string endpoint, string code, string reason);
    }
}
