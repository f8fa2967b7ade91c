using System.Buffers;
using Perch.Cli.Net;
using Perch.Wire;
using Perch.Wire.Files;

namespace Perch.Cli.Files;

/// <summary>The protocol <c>files</c> over one connection.</summary>
internal sealed class FilesSession(Link link, TimeSpan timeout) : IRemoteFiles
{
    private const int BufferBytes = 256 * 1024;

    /// <summary>What a server may need to read again of an upload that it resumes, in bytes a second.</summary>
    private const long SlowestDisk = 16 * 1024 * 1024;

    private readonly byte[] _buffer = new byte[BufferBytes];
    private int _start;
    private int _end;

    public bool IsResumable => true;

    public async Task<RemoteStatus> StatAsync(FileName name, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(new() { Verb = FileVerb.Stat, Name = name }, cancellationToken);
        return answer switch
        {
            { IsOk: true } => new(answer.Length, answer.Sha256, answer.Modified, answer.Partial),
            { Code: FileRefusal.NotFound } => RemoteStatus.None,
            _ => throw new FileRefusal(answer),
        };
    }

    public async Task PutAsync(LocalFile file, long offset, Stream content, TransferMeter meter, CancellationToken cancellationToken)
    {
        var patience = timeout + TimeSpan.FromSeconds(file.Length / SlowestDisk);
        await SendAsync(new() { Verb = FileVerb.Put, Name = file.Name, Length = file.Length, Sha256 = file.Sha256, Offset = offset }, cancellationToken);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        // A refusal comes at once, also while the bytes are on their way: then the rest need not be sent.
        var answering = ReadLineAsync<FileAnswer>(FileAnswer.TryRead, Timeout.InfiniteTimeSpan, ending.Token);
        try
        {
            try
            {
                await SendAsync(content, file.Length - offset, meter, answering, patience, cancellationToken);
            }
            catch (Exception exception) when (exception is not (CliException or OperationCanceledException) && answering.IsCompletedSuccessfully)
            {
                // The connection broke behind a refusal: the refusal is the reason.
            }

            var answer = await answering.WaitAsync(patience, cancellationToken);
            if (!answer!.IsOk) throw new FileRefusal(answer);
            if (answer.Length != file.Length || answer.Sha256 != file.Sha256)
                throw new CliException(ExitCode.Refused, $"{PeerText.Escape(file.Name.Value)}: the server says that it stored something else: {answer.Length} bytes, sha256 {answer.Sha256}.");
        }
        catch (TimeoutException)
        {
            throw Silence(patience);
        }
        finally
        {
            await ending.CancelAsync();
            _ = answering.ContinueWith(static done => _ = done.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        }
    }

    public async Task GetAsync(FileName name, long offset, Func<RemoteStatus, Stream?> accept, TransferMeter meter, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(new() { Verb = FileVerb.Get, Name = name, Offset = offset }, cancellationToken);
        if (!answer.IsOk) throw new FileRefusal(answer);
        if (answer is not { Length: { } left, Total: { } total, Sha256: not null } || left != total - offset) throw FileAnswerFault();
        if (accept(new(total, answer.Sha256, null, 0)) is not { } sink) return;
        while (left > 0)
        {
            if (_start == _end) await FillAsync(timeout, cancellationToken);
            var part = _buffer.AsMemory(_start, (int)Math.Min(_end - _start, left));
            await meter.AdvanceAsync(part.Length, cancellationToken);
            await sink.WriteAsync(part, cancellationToken);
            _start += part.Length;
            left -= part.Length;
        }
    }

    public async Task<IReadOnlyList<ListedFile>> ListAsync(string prefix, string after, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(new() { Verb = FileVerb.List, Prefix = prefix, After = after }, cancellationToken);
        if (!answer.IsOk) throw new FileRefusal(answer);
        if (answer.Length is not (>= 0 and <= FileCommand.MaxLimit)) throw FileAnswerFault();
        var files = new List<ListedFile>();
        while (files.Count < answer.Length) files.Add((await ReadLineAsync<ListedFile>(ListedFile.TryRead, timeout, cancellationToken))!);
        return files;
    }

    public async Task DeleteAsync(FileName name, CancellationToken cancellationToken)
    {
        var answer = await AskAsync(new() { Verb = FileVerb.Delete, Name = name }, cancellationToken);
        if (!answer.IsOk) throw new FileRefusal(answer);
    }

    public ValueTask DisposeAsync() => link.DisposeAsync();

    private delegate bool TryReadLine<T>(ref ReadOnlySequence<byte> buffer, ref long scanned, out T? line);

    private async Task<FileAnswer> AskAsync(FileCommand command, CancellationToken cancellationToken)
    {
        await SendAsync(command, cancellationToken);
        return (await ReadLineAsync<FileAnswer>(FileAnswer.TryRead, timeout, cancellationToken))!;
    }

    private async Task SendAsync(FileCommand command, CancellationToken cancellationToken)
    {
        var line = new ArrayBufferWriter<byte>();
        command.Write(line);
        await link.WriteAsync(line.WrittenMemory, cancellationToken);
    }

    private async Task SendAsync(Stream content, long left, TransferMeter meter, Task answering, TimeSpan patience, CancellationToken cancellationToken)
    {
        var buffer = new byte[meter.PieceBytes];
        while (left > 0 && !answering.IsCompleted)
        {
            var read = await content.ReadAsync(buffer.AsMemory(0, (int)Math.Min(buffer.Length, left)), cancellationToken);
            if (read == 0) throw new CliException(ExitCode.LocalFile, "The file became shorter while it was sent; send it again.");
            await meter.AdvanceAsync(read, cancellationToken);
            await link.WriteAsync(buffer.AsMemory(0, read), patience, cancellationToken);
            left -= read;
        }
    }

    private async Task<T?> ReadLineAsync<T>(TryReadLine<T> tryRead, TimeSpan limit, CancellationToken cancellationToken)
    {
        long scanned = 0;
        while (true)
        {
            var unread = new ReadOnlySequence<byte>(_buffer, _start, _end - _start);
            var before = unread.Length;
            if (tryRead(ref unread, ref scanned, out var line))
            {
                _start += (int)(before - unread.Length);
                return line;
            }

            await FillAsync(limit, cancellationToken);
        }
    }

    private async ValueTask FillAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        if (_start > 0) Buffer.BlockCopy(_buffer, _start, _buffer, 0, _end - _start);
        (_start, _end) = (0, _end - _start);
        var space = _buffer.AsMemory(_end);
        var read = limit == Timeout.InfiniteTimeSpan ? await link.ReadAsync(space, cancellationToken) : await link.ReadAsync(space, limit, cancellationToken);
        if (read == 0) throw new CliException(ExitCode.Cut, "The server closed the connection before it had answered.");
        _end += read;
    }

    private static CliException Silence(TimeSpan limit) => new(ExitCode.TimedOut, $"The server took and said nothing for {limit.TotalSeconds:0.###} s (--timeout).");

    private static ProtocolException FileAnswerFault() => new("malformed", "The lengths in the answer do not fit the file.");
}
