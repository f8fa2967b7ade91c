using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Perch.Benchmarks;

/// <summary>Somebody else's way to take a file, or to give one.</summary>
internal abstract class FileServer : IDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(10);

    private Process? _process;

    public abstract string Name { get; }

    public virtual bool CanUpload => false;

    public virtual bool CanDownload => false;

    protected static IPEndPoint AnyPort { get; } = new(IPAddress.Loopback, 0);

    protected IPEndPoint EndPoint { get; } = FreePort();

    /// <param name="folder">For what they write.</param>
    /// <param name="source">The file that they give.</param>
    /// <param name="missing">Told of each that is not installed.</param>
    public static List<FileServer> Installed(DirectoryInfo folder, string source, Action<string> missing)
    {
        var servers = new List<FileServer>();
        void Add(string program, Func<FileServer> create)
        {
            if (Find(program) is null) missing($"{program} is not installed and left out.");
            else servers.Add(create());
        }

        Add("socat", () => new SocatServer(folder, hashes: true));
        Add("socat", () => new SocatServer(folder, hashes: false));
        Add("nginx", () => new NginxServer(folder, source));
        Add("vsftpd", () => new VsftpdServer(folder, source));
        return servers;
    }

    public virtual void Upload(string source) => throw new NotSupportedException();

    /// <summary>Deletes what was uploaded.</summary>
    public virtual void Clear()
    {
    }

    public virtual void Download(long length) => throw new NotSupportedException();

    /// <summary>A socket whose calls wait in the system, so that the client takes little of what the servers are compared in.</summary>
    public static Socket Connect(IPEndPoint server)
    {
        var started = Stopwatch.GetTimestamp();
        // Nobody tells when the server listens.
        using var never = new ManualResetEventSlim();
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                socket.Connect(server);
                return socket;
            }
            catch (SocketException) when (Stopwatch.GetElapsedTime(started) < StartLimit)
            {
                socket.Dispose();
                never.Wait(TimeSpan.FromMilliseconds(5));
            }
        }
    }

    /// <summary>Byte by byte, so that nothing behind it is taken.</summary>
    public static string Line(Socket socket)
    {
        var line = new StringBuilder();
        var one = new byte[1];
        while (socket.Receive(one) == 1 && one[0] != '\n') line.Append((char)one[0]);
        return line.ToString();
    }

    /// <summary>Receives so many bytes, or all until the end where it is null, and drops them.</summary>
    public static void Receive(Socket socket, long? length)
    {
        var buffer = new byte[1024 * 1024];
        for (long got = 0; length is null || got < length;)
        {
            var read = socket.Receive(buffer);
            if (read == 0 && length is null) return;
            got += read > 0 ? read : throw new InvalidOperationException("The server closed the connection early.");
        }
    }

    public virtual void Dispose() => Stop();

    protected void Start(string program, params string[] arguments) =>
        _process = Process.Start(new ProcessStartInfo(Find(program)!, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;

    protected void WaitForEnd()
    {
        _process!.StandardOutput.ReadToEnd();
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
    }

    private static string? Find(string program) =>
        $"{Environment.GetEnvironmentVariable("PATH")}:/usr/sbin".Split(':').Select(folder => Path.Combine(folder, program)).FirstOrDefault(File.Exists);

    private static IPEndPoint FreePort()
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        socket.Bind(AnyPort);
        return (IPEndPoint)socket.LocalEndPoint!;
    }

    private void Stop()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.WaitForExit();
        _process.Dispose();
        _process = null;
    }
}

/// <summary>Writes what one connection sends to a file, and perhaps hashes it at the same time.</summary>
internal sealed class SocatServer(DirectoryInfo folder, bool hashes) : FileServer
{
    private string Target => Path.Combine(folder.FullName, "socat.bin");

    public override string Name => hashes ? "socat to a file and sha256sum" : "socat to a file";

    public override bool CanUpload => true;

    public override void Upload(string source)
    {
        var listen = string.Create(CultureInfo.InvariantCulture, $"TCP-LISTEN:{EndPoint.Port},bind=127.0.0.1,reuseaddr");
        Start("socat", "-u", "-b", "65536", listen, hashes ? $"SYSTEM:tee {Target} | sha256sum > {Target}.sha256" : $"CREATE:{Target}");
        using (var socket = Connect(EndPoint))
        {
            socket.SendFile(source);
            socket.Shutdown(SocketShutdown.Send);
            Receive(socket, length: null);
        }

        WaitForEnd();
    }

    public override void Clear() => File.Delete(Target);
}

/// <summary>sendfile(2) to the socket.</summary>
internal sealed class NginxServer : FileServer
{
    private readonly string _file;

    public NginxServer(DirectoryInfo folder, string source)
    {
        _file = Path.GetFileName(source);
        var settings = Path.Combine(folder.FullName, "nginx.conf");
        File.WriteAllText(settings, string.Create(CultureInfo.InvariantCulture, $$"""
            daemon off; worker_processes 1; user root; pid {{folder.FullName}}/nginx.pid; error_log {{folder.FullName}}/nginx.log;
            events { worker_connections 64; }
            http { access_log off; sendfile on; tcp_nopush on; server { listen 127.0.0.1:{{EndPoint.Port}}; root {{folder.FullName}}; } }
            """));
        Start("nginx", "-c", settings);
    }

    public override string Name => "nginx, sendfile";

    public override bool CanDownload => true;

    public override void Download(long length)
    {
        using var socket = Connect(EndPoint);
        socket.Send(Encoding.ASCII.GetBytes($"GET /{_file} HTTP/1.0\r\n\r\n"));
        while (Line(socket).Length > 1)
        {
            // The headers, until the empty line.
        }

        Receive(socket, length);
    }
}

/// <summary>An FTP server.</summary>
internal sealed class VsftpdServer : FileServer
{
    private const UnixFileMode Readable = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute
        | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute;

    private readonly string _file;
    private readonly string _uploaded;

    public VsftpdServer(DirectoryInfo folder, string source)
    {
        _file = Path.GetFileName(source);
        var settings = Path.Combine(folder.FullName, "vsftpd.conf");
        // Its users may not write to the folder that they are held in.
        var uploads = folder.CreateSubdirectory("ftp");
        _uploaded = Path.Combine(uploads.FullName, "up.bin");
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(folder.FullName, Readable);
            File.SetUnixFileMode(uploads.FullName, Readable | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite);
        }

        File.WriteAllText(settings, string.Create(CultureInfo.InvariantCulture, $"""
            listen=YES
            listen_address=127.0.0.1
            listen_port={EndPoint.Port}
            background=NO
            anonymous_enable=YES
            ftp_username=daemon
            anon_root={folder.FullName}
            write_enable=YES
            anon_upload_enable=YES
            anon_other_write_enable=YES
            anon_world_readable_only=NO
            seccomp_sandbox=NO
            use_sendfile=YES
            xferlog_enable=NO
            """));
        Start("vsftpd", settings);
    }

    public override string Name => "vsftpd";

    public override bool CanUpload => true;

    public override bool CanDownload => true;

    public override void Upload(string source)
    {
        using var control = Login();
        using (var data = Passive(control))
        {
            Command(control, "STOR ftp/up.bin", "150");
            data.SendFile(source);
            data.Shutdown(SocketShutdown.Send);
        }

        Expect(control, "226");
    }

    public override void Clear() => File.Delete(_uploaded);

    public override void Download(long length)
    {
        using var control = Login();
        using (var data = Passive(control))
        {
            Command(control, $"RETR {_file}", "150");
            Receive(data, length);
        }

        Expect(control, "226");
    }

    private static void Expect(Socket control, string code)
    {
        var line = Line(control);
        if (!line.StartsWith(code, StringComparison.Ordinal)) throw new InvalidOperationException($"vsftpd said {line}.");
    }

    private static void Command(Socket control, string command, string code)
    {
        control.Send(Encoding.ASCII.GetBytes(command + "\r\n"));
        Expect(control, code);
    }

    private static Socket Passive(Socket control)
    {
        control.Send("EPSV\r\n"u8.ToArray());
        var line = Line(control);
        var port = int.Parse(line.Split('|')[3], CultureInfo.InvariantCulture);
        return Connect(new(IPAddress.Loopback, port));
    }

    private Socket Login()
    {
        var control = Connect(EndPoint);
        Expect(control, "220");
        Command(control, "USER anonymous", "331");
        Command(control, "PASS a@b", "230");
        Command(control, "TYPE I", "200");
        return control;
    }
}
