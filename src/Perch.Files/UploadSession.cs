using System.Globalization;
using System.IO.Pipelines;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Connections;
using Microsoft.AspNetCore.Connections.Features;
using Microsoft.Extensions.Logging;
using Perch.Connections;
using Perch.Diagnostics;
using Perch.Messages;
using Perch.Wire.Files;

namespace Perch.Files;

/// <summary>One connection of <c>upload</c>. What does not come to its end is dropped: nobody knows its name.</summary>
internal sealed partial class UploadSession(ConnectionContext connection, UploadOptions options, FileStoreService files, TimeProvider time, ILogger logger)
{
    private readonly OnceReader? _once = options.Once ? new(connection, options.OnceQuietTime, time) : null;
    private readonly PipeWriter _output = connection.Transport.Output;
    private readonly IPerchConnectionFeature? _feature = connection.Features.Get<IPerchConnectionFeature>();
    private readonly CancellationToken _draining = connection.Features.Get<IConnectionLifetimeNotificationFeature>()?.ConnectionClosedRequested ?? default;

    private PipeReader Input => (PipeReader?)_once ?? connection.Transport.Input;

    private string Endpoint => _feature?.Endpoint ?? "";

    /// <summary>In the order of their times, and no two the same.</summary>
    public static string NewLeaf(DateTimeOffset now) =>
        $"{now.UtcDateTime.ToString("yyyyMMdd'T'HHmmss.ffffff'Z'", CultureInfo.InvariantCulture)}-{Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(4))}";

    public async Task RunAsync()
    {
        // One that has sent nothing yet ends with the drain; an upload that has begun is the message in hand.
        await using var drain = _draining.UnsafeRegister(
            static input => ((PipeReader)input!).CancelPendingRead(), connection.Transport.Input);
        using var once = _once;
        if (!await BeginsAsync()) return;
        var isStored = await StoreAsync();
        if (once is not null) await once.DropToEndAsync(isStored ? () => Log.Late(logger, Endpoint) : null, _draining);
    }

    /// <returns>Whether the file was stored; the peer has its answer in any case.</returns>
    private async ValueTask<bool> StoreAsync()
    {
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
            return true;
        }
        catch (FileStoreException refusal)
        {
            transfer.Outcome = refusal.Code;
            await RefuseAsync(refusal);
            return false;
        }
    }

    /// <returns>False where there is nothing to store.</returns>
    private async ValueTask<bool> BeginsAsync()
    {
        while (true)
        {
            var read = await Input.ReadAsync();
            Input.AdvanceTo(read.Buffer.Start);
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
        StoredFile stored;
        try
        {
            var heartbeat = connection.Features.Get<IConnectionHeartbeatFeature>();
            var body = new FileBody(Input, length: null, isBeating: heartbeat is not null);
            heartbeat?.OnHeartbeat(static body => ((FileBody)body).OnHeartbeat(), body);
            await body.ReceiveAsync(upload, transfer);
            if (_once?.DropFurtherBytes() == true) throw FurtherBytes();
            stored = await upload.CompleteAsync();
        }
        catch
        {
            await upload.AbortAsync();
            throw;
        }

        if (_once?.DropFurtherBytes() != true) return stored;
        // The bytes came while the file was published. No peer has been given its name.
        await store.DeleteAsync(name, CancellationToken.None);
        throw FurtherBytes();
    }

    private static FileStoreException FurtherBytes() =>
        new("more", "bytes came after the message had ended, and nothing is stored: send it without a pause, or close your side after it");

    /// <summary>Tells why, and reads on: a close with bytes unread would be a reset, and the peer would not see the answer.</summary>
    private async ValueTask RefuseAsync(FileStoreException refusal)
    {
        files.Failed(refusal);
        Log.Refused(logger, Endpoint, refusal.Code, refusal.Text);
        if (refusal.IsStoreFault) _feature?.TrySetOutcome(ConnectionOutcome.StorageUnavailable);
        if (refusal.Code == "more") _feature?.TrySetOutcome(ConnectionOutcome.ProtocolViolation);
        await WriteAsync($"ERR {refusal.Code} {refusal.Text}\n");
        for (var isCompleted = _once is not null; !isCompleted;)
        {
            var read = await Input.ReadAsync();
            Input.AdvanceTo(read.Buffer.End);
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

        [LoggerMessage(4532, LogLevel.Warning, "Bytes came after the answer on endpoint {Endpoint} and were dropped: "
            + "the client paused for longer than OnceQuietTime, or sent a second message", EventName = "FileBytesDropped")]
        public static partial void Late(ILogger logger, string endpoint);
    }
}
