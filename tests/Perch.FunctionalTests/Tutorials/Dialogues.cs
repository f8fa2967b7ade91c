namespace Perch.FunctionalTests.Tutorials;

/// <summary>The dialogues of the thirteen systems that are the same with Perch.</summary>
internal static class Dialogues
{
    private const string Peer = @"127\.0\.0\.1:\d+";

    private static readonly string Bytes1000 = new('x', 1000);

    public static IReadOnlyDictionary<string, Dialogue> All { get; } = new Dictionary<string, Dialogue>
    {
        ["1 one-shot"] = new(1, ["reply.py"], "reply", ["once.py", "こんにちは、サーバー"])
        {
            Lines = [("受信データ: こんにちは、サーバー", "受信データ: こんにちは、サーバー")],
        },
        ["1 one-shot, the longest message"] = new(1, ["reply.py"], "reply", ["once.py", "@1024"]),
        ["2 text into SQLite"] = new(2, ["record.py", "{folder}/logs.db"], "record", ["once.py", "こんにちは"]),
        ["3 upload without a half-close"] = new(3, ["upload.py", "{folder}/received"], "upload-once", ["once.py", "@1024"]),
        ["4 session, one message"] = new(4, ["hello.py"], "hello", ["ask.py", "Zack", "--quit--"]) { Lines = Session("ZACK") },
        ["4 session, two messages"] = new(4, ["hello.py"], "hello", ["ask.py", "Python", "world!  \r\n", "please --Quit-- now"])
        {
            Lines = Session("PYTHON", "WORLD!"),
        },
        ["4 session that the client leaves"] = new(4, ["hello.py"], "hello", ["ask.py", "Anothny"])
        {
            Lines =
            [
                Connected("hello"),
                ("Processed result: Hello ANOTHNY", "Hello ANOTHNY"),
                ($"Connection {Peer} closed", Ended("hello")),
            ],
        },
        ["4 session, the longest message"] = new(4, ["hello.py"], "hello", ["ask.py", new string('x', 5120), "--quit--"])
        {
            Lines = [("The input size is greater than expected", @"\(5120\)")],
        },
        ["5 interactive client"] = new(5, ["hello.py"], "hello", ["session.py"])
        {
            Input = "Zack\nPython\nquit\n",
            Lines = Session("ZACK", "PYTHON"),
        },
        ["6 thread started as a function"] = new(6, ["threads.py", "function"], "echo-blocking", ["many.py", "3"]),
        ["6 thread started as an object"] = new(6, ["threads.py", "object"], "echo-blocking", ["many.py", "3"]),
        ["7 bytes to the client"] = new(7, ["bytes.py", "tcp"], "bytes", ["take.py"]),
        ["7 bytes from the client"] = new(7, ["bytes.py", "tcp-receive"], "bytes", ["take.py", "01020304"])
        {
            Lines = [("Received 4 bytes: 01 02 03 04", "Received 4 bytes: 01 02 03 04")],
        },
        ["8 bytes over UDP"] = new(8, ["bytes.py", "udp"], "bytes-udp", ["datagram.py", "01020304"])
        {
            Lines = [("Received 4 bytes: 01 02 03 04", "Received 4 bytes: 01 02 03 04")],
        },
        ["9 a lost block of TFTP"] = new(9, ["tftp.py", "{folder}/boot.bin"], "tftp", ["tftp_get.py", "boot.bin"]),
        ["10 joined messages"] = new(10, ["generators.py"], "echo", ["ask.py", "one\ntwo\n"]),
        ["10 a message over the limit of one receive"] = new(10, ["generators.py"], "echo", ["pieces.py", Bytes1000 + "y"]),
        ["10 lines, joined and cut"] = new(10, ["lines.py"], "echo-lines", ["pieces.py", "one\\ntw", "o\\nthr", "ee\\n"]),
        ["11 load on threads"] = new(11, ["threads.py", "object"], "echo-blocking", ["many.py", "20"]),
        ["12 echo"] = new(12, ["generators.py"], "echo", ["ask.py", "Hello", "こんにちは", Bytes1000]) { Lines = Echo("echo") },
        ["12 echo as a conversation"] = new(12, ["generators.py"], "echo-conversation", ["ask.py", "Hello", "こんにちは", Bytes1000]),
        ["13 many clients on one thread"] = new(13, ["generators.py"], "echo-conversation", ["many.py", "50"]),
    };

    /// <summary>Pattern of Perch's line about a client that connected.</summary>
    public static string Started(string endpoint) => $@"Connection \w+ started: endpoint {endpoint}, protocol \S+, peer {Peer}";

    private static string Ended(string endpoint) => $@"Connection \w+ ended: endpoint {endpoint}, protocol \S+, peer {Peer}";

    private static (string, string) Connected(string endpoint) => ($"Connected with {Peer}", Started(endpoint));

    private static (string, string)[] Session(params string[] names) =>
    [
        Connected("hello"),
        .. names.Select(name => ($"Processed result: Hello {name}", $"Hello {name}")),
        ("Client is requesting to quit", "The peer asked to quit"),
        ($"Connection {Peer} closed", Ended("hello")),
    ];

    private static (string, string)[] Echo(string endpoint) =>
        [(@"Connection from \('127\.0\.0\.1', \d+\)", Started(endpoint)), ("Connection closed", Ended(endpoint))];
}
