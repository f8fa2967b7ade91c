"""The part of descriptors.sh for one limit of open files."""

import json
import os
import pathlib
import resource
import selectors
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

TIMEOUT = 30.0
HOLD = 12.0
ADMIN_CONNECTIONS = 800
UPLOADS = 500
RECOVERY = 1.0
IP_BIND_ADDRESS_NO_PORT = 24  # ip(7); Python has no name for it.


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A Perch process with a limit of open files."""

    def __init__(self, executable, limit, engine, folder):
        self.folder, self.limit = folder, limit
        self.echo, self.capped, self.files, self.admin = free_port(), free_port(), free_port(), free_port()
        settings = {
            "Perch": {
                "SocketEngine": engine,
                "MaxConnections": 100_000,
                "Endpoints": {
                    "echo": {"Port": self.echo, "Protocol": "echo", "LogConnections": "None", "Guards": {"MaxConnections": 100_000}},
                    "capped": {"Port": self.capped, "Protocol": "echo", "LogConnections": "None", "Guards": {"MaxConnections": 10}},
                    "files": {"Port": self.files, "Protocol": "files", "LogConnections": "None"},
                },
                "Files": {"MaxPartials": 100_000},
            },
            "Serilog": {"MinimumLevel": {"Default": "Error"}},
            "Kestrel": {"Endpoints": {"Admin": {"Url": f"http://127.0.0.1:{self.admin}"}}},
        }
        (folder / "appsettings.json").write_text(json.dumps(settings))
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                [executable], cwd=folder, stdout=log, stderr=log,
                preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit)))
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                self.ask("/health/live")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start:\n" + (folder / "log").read_text()) from None
                time.sleep(0.1)

    def ask(self, path, timeout=5.0):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=timeout) as answer:
            return answer.read().decode()

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class AdminWatch(threading.Thread):
    """Asks the admin endpoint all the time."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.ended, self.answers, self.failures, self.slowest, self.most = server, False, 0, [], 0.0, 0

    def run(self):
        while not self.ended:
            started = time.monotonic()
            try:
                self.server.ask("/health/live")
                self.answers += 1
            except OSError as error:
                self.failures.append(str(error))
            self.slowest = max(self.slowest, time.monotonic() - started)
            try:
                self.most = max(self.most, self.server.descriptors())
            except OSError:
                return
            time.sleep(0.05)


def open_connections(port, count, first=b""):
    """Connects without waiting for the other side, and sends the first bytes as soon as it can."""
    opened, selector = [], selectors.DefaultSelector()
    for number in range(count):
        client = socket.socket()
        client.setblocking(False)
        # One address has 28,000 ports: others are used too. The port is chosen by connect, so that it has to be free for this server only.
        client.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        client.bind((f"127.20.0.{1 + number // 10_000}", 0))
        client.connect_ex(("127.0.0.1", port))
        if first:
            selector.register(client, selectors.EVENT_WRITE, first % number)
        opened.append(client)
    deadline = time.monotonic() + 5
    while selector.get_map() and time.monotonic() < deadline:
        for key, _ in selector.select(0.2):
            selector.unregister(key.fileobj)
            try:
                key.fileobj.send(key.data)
            except OSError:
                pass
    selector.close()
    return opened


def loads(server):
    over = 3 * server.limit if server.limit < 8000 else server.limit + 800
    echo = lambda: open_connections(server.echo, over)
    capped = lambda: open_connections(server.capped, over)
    admin = lambda: open_connections(server.admin, ADMIN_CONNECTIONS)
    uploads = lambda: open_connections(server.files, UPLOADS, b"PUT file%d 1000000\n0123456789")
    return {
        "echo": echo, "over a cap": capped, "admin": admin, "uploads": uploads,
        "all": lambda: admin() + uploads() + capped() + echo(),
    }


def recover(server):
    """The time until a new connection is served, after the load has closed its connections."""
    started = time.monotonic()
    deadline = started + TIMEOUT
    while time.monotonic() < deadline:
        try:
            # The kernel drops a SYN while the backlog is full, and the client sends it again after a second: this one asks anew.
            with socket.create_connection(("127.0.0.1", server.echo), timeout=0.2) as client:
                client.sendall(b"1")
                if client.recv(100) == b"GOT:1":
                    return time.monotonic() - started
        except OSError:
            time.sleep(0.02)
    return TIMEOUT


def run(server, name, load):
    watch = AdminWatch(server)
    watch.start()
    cpu, started = server.cpu_seconds(), time.monotonic()
    connections = load()
    time.sleep(max(0.0, HOLD - (time.monotonic() - started)))
    share = (server.cpu_seconds() - cpu) / (time.monotonic() - started)
    for client in connections:
        client.close()
    recovery = recover(server)
    watch.ended = True
    watch.join()
    alive = server.process.poll() is None
    print(f"{name}: {len(connections)} connections, at most {watch.most} descriptors, processor {share:.2f}, "
          f"admin {watch.answers} answers, {len(watch.failures)} failures, slowest {watch.slowest:.2f} s, served again after {recovery:.2f} s"
          f"{'' if alive else ', THE PROCESS HAS ENDED'}", flush=True)
    if watch.failures:
        print("  " + watch.failures[0])
    return alive and not watch.failures and recovery <= RECOVERY


def main():
    executable, limit, engine = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        server = Server(executable, limit, engine, pathlib.Path(folder))
        try:
            results = [run(server, name, load) for name, load in loads(server).items() if server.process.poll() is None]
        finally:
            server.process.kill()
            server.process.wait()
        if not all(results) or len(results) != 5:
            print((pathlib.Path(folder) / "log").read_text()[-3000:])
            sys.exit(1)


if __name__ == "__main__":
    main()
