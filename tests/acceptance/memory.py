"""The loads of memory.sh."""

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

LIMIT = 1 << 30
HEAP_LIMIT = "0x30000000"
SLACK = 64 << 20
HOLD = 25.0
RETURN = 60.0
ANSWER = 10.0
# While memory is short, new connections wait in the backlog: the kernel sends a SYN again after 1, 3, 7 and 15 s.
NEW_CONNECTION = 30.0
SYNC_DELAY = 8.0
CONNECTIONS = 18_000
WELL_BEHAVED = 20


# A library that is loaded before libc: fsync and fdatasync take their time while the file of SLOW_SYNC exists.
SHIM = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <unistd.h>

static void wait_while_slow(void)
{
    const char *flag = getenv("SLOW_SYNC");
    for (int i = 0; i < %d && flag && access(flag, F_OK) == 0; i++)
        usleep(100000);
}

int fsync(int fd)
{
    wait_while_slow();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(fd);
}

int fdatasync(int fd)
{
    wait_while_slow();
    return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(fd);
}
""" % int(SYNC_DELAY * 10)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Cgroup:
    """A memory cgroup of version 1 or 2, or none."""

    def __init__(self):
        self.path = self.version = None
        for version, base in ((1, "/sys/fs/cgroup/memory"), (2, "/sys/fs/cgroup")):
            path = pathlib.Path(base) / f"perch-memory-{os.getpid()}"
            if version == 2 and not (path.parent / "cgroup.controllers").exists():
                continue
            try:
                path.mkdir()
                limit = path / ("memory.limit_in_bytes" if version == 1 else "memory.max")
                limit.write_text(str(LIMIT))
                self.path, self.version = path, version
                return
            except OSError as error:
                print(f"no cgroup of version {version}: {error}")
                if path.exists():
                    path.rmdir()

    def enter(self):
        if self.path:
            (self.path / "cgroup.procs").write_text("0")

    def reset_peak(self):
        """Drops the page cache of the load before, which counts too."""
        try:
            if self.path:
                (self.path / ("memory.force_empty" if self.version == 1 else "memory.reclaim")).write_text(str(LIMIT))
        except OSError:
            pass
        if self.version == 1:
            (self.path / "memory.max_usage_in_bytes").write_text("0")

    def peak(self):
        return int((self.path / ("memory.max_usage_in_bytes" if self.version == 1 else "memory.peak")).read_text())

    def resident(self):
        stat = dict(line.split() for line in (self.path / "memory.stat").read_text().splitlines())
        return int(stat["rss" if self.version == 1 else "anon"])

    def close(self):
        if self.path:
            self.path.rmdir()


class Server:
    """A Perch process with a limit of memory."""

    def __init__(self, executable, cgroup, folder):
        self.cgroup, self.folder = cgroup, folder
        self.echo, self.lines, self.records, self.admin = free_port(), free_port(), free_port(), free_port()
        guards = {"MaxConnections": CONNECTIONS}

        def record(port, most):
            return {"Port": port, "Protocol": "record", "LogConnections": "None", "Guards": guards,
                    "Options": {"Framing": "Line", "MaxMessageBytes": most}}

        settings = {
            "Perch": {
                "MaxConnections": CONNECTIONS,
                "Endpoints": {
                    "echo": {"Port": self.echo, "Protocol": "echo", "LogConnections": "None", "Guards": guards},
                    "lines": record(self.lines, 2_000_000),
                    "records": record(self.records, 65_536),
                },
            },
            "Serilog": {"MinimumLevel": {"Default": "Error", "Override": {"Perch.Diagnostics": "Information"}}},
            "Kestrel": {"Endpoints": {"Admin": {"Url": f"http://127.0.0.1:{self.admin}"}}},
        }
        (folder / "appsettings.json").write_text(json.dumps(settings))
        (folder / "shim.c").write_text(SHIM)
        subprocess.run(["cc", "-shared", "-fPIC", "-O1", "-o", str(folder / "shim.so"), str(folder / "shim.c"), "-ldl"], check=True)
        environment = {**os.environ, "LD_PRELOAD": str(folder / "shim.so"), "SLOW_SYNC": str(folder / "slow")}
        if not cgroup.path:
            environment["DOTNET_GCHeapHardLimit"] = HEAP_LIMIT
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([executable], cwd=folder, stdout=log, stderr=log, env=environment, preexec_fn=cgroup.enter)
        deadline = time.monotonic() + 30
        while True:
            try:
                self.ask("/health/live")
                return
            except OSError:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    raise RuntimeError("the server did not start:\n" + self.log()) from None
                time.sleep(0.1)

    def log(self):
        return (self.folder / "log").read_text()

    def ask(self, path, timeout=ANSWER):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=timeout) as answer:
            return answer.read().decode()

    def metrics(self, *names):
        values = dict.fromkeys(names, 0.0)
        for line in self.ask("/metrics").splitlines():
            for name in names:
                if line.startswith((name + "{", name + " ")):
                    values[name] += float(line.split("}")[-1].split()[0])
        return [int(values[name]) for name in names]

    def status(self, field):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        return 0

    def resident(self):
        return self.cgroup.resident() if self.cgroup.path else self.status("VmRSS")

    def peak(self):
        return self.cgroup.peak() if self.cgroup.path else self.status("VmHWM")


class Watch(threading.Thread):
    """Well-behaved clients: some that stay, and a new one each second; and the server's own number."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.server, self.ended, self.answers, self.failures, self.slowest, self.slowest_new, self.used, self.resident = server, False, 0, [], 0.0, 0.0, 0, 0
        self.clients = [socket.create_connection(("127.0.0.1", server.echo), timeout=ANSWER) for _ in range(WELL_BEHAVED)]

    def ask(self, client):
        client.sendall(b"1")
        if client.recv(100) != b"GOT:1":
            raise OSError("another answer than was expected")
        self.answers += 1

    def run(self):
        newest = time.monotonic()
        while not self.ended:
            try:
                for client in self.clients:
                    started = time.monotonic()
                    self.ask(client)
                    self.slowest = max(self.slowest, time.monotonic() - started)
                if time.monotonic() - newest > 1:
                    newest = started = time.monotonic()
                    with socket.create_connection(("127.0.0.1", self.server.echo), timeout=NEW_CONNECTION) as client:
                        self.ask(client)
                    self.slowest_new = max(self.slowest_new, time.monotonic() - started)
                    self.used = max(self.used, self.server.metrics("perch_memory_used_bytes")[0])
            except OSError as error:
                self.failures.append(str(error))
                if self.server.process.poll() is not None:
                    return
            self.resident = max(self.resident, self.server.resident())
            time.sleep(0.1)


class Senders:
    """Connections that send bytes as fast as they can, up to a number of bytes each."""

    def __init__(self):
        self.sockets, self.selector = [], selectors.DefaultSelector()

    def add(self, port, count, message, total):
        for number in range(count):
            client = socket.socket()
            client.setblocking(False)
            # One address has 28,000 ports: others are used too.
            client.bind((f"127.0.0.{2 + number // 10_000}", 0))
            client.connect_ex(("127.0.0.1", port))
            self.selector.register(client, selectors.EVENT_WRITE, [message, total])
            self.sockets.append(client)
            if number % 200 == 199:
                self.run(0.02)

    def run(self, seconds):
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if not self.selector.get_map():
                time.sleep(left)
                return
            for key, _ in self.selector.select(left):
                message, rest = key.data
                try:
                    sent = key.fileobj.send(message[-rest % len(message):][:rest])
                    key.data[1] -= sent
                    if key.data[1] > 0:
                        continue
                except BlockingIOError:
                    continue
                except OSError:
                    pass
                self.selector.unregister(key.fileobj)

    def close(self):
        self.selector.close()
        for client in self.sockets:
            client.close()


class SlowSync:
    """fdatasync takes 8 s."""

    def __init__(self, server):
        self.flag = server.folder / "slow"
        self.flag.touch()

    def close(self):
        self.flag.unlink()


def stream(server):
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", server.admin))
    client.sendall(b"GET /records/stream HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    return client


LINE = b"x" * 999 + b"\n"


def start(server, name, senders, share=1.0):
    """Begins a load. What it returns is closed after it."""
    if name == "bytes":
        senders.add(server.lines, int(16_000 * share), b"x", 1)
    elif name == "lines":
        senders.add(server.lines, int(5_000 * share), b"x" * 100_000, 1_000_000)
    elif name in ("senders", "flood"):
        sync = SlowSync(server)
        senders.add(server.records, int(6_000 * share), LINE * 64, 64_000 if name == "senders" else 1_000_000)
        return [sync]
    elif name == "streams":
        readers = [stream(server) for _ in range(int(100 * share))]
        senders.add(server.records, 4, LINE * 100, 10_000_000)
        return readers
    else:
        return [each for part in ("streams", "bytes", "lines", "senders") for each in start(server, part, senders, 0.5)]
    return []


def run(server, name, baseline):
    server.cgroup.reset_peak()
    before = server.metrics("perch_memory_refused_total", "perch_memory_ended_total")
    watch = Watch(server)
    watch.start()
    senders = Senders()
    others = start(server, name, senders)
    connections = len(senders.sockets)
    senders.run(HOLD)
    # The disk is slow until the senders have left: what waits for it then is theirs.
    senders.close()
    for other in others:
        other.close()
    watch.ended = True
    watch.join(NEW_CONNECTION + ANSWER)
    ended = time.monotonic()
    alive = server.process.poll() is None
    while alive and (after := server.resident()) > baseline + SLACK and time.monotonic() - ended < RETURN + 5:
        time.sleep(0.5)
        alive = server.process.poll() is None
    if not alive:
        lines = server.log().splitlines()
        print(f"{name}: THE PROCESS HAS ENDED with {server.process.returncode}, largest resident set {watch.resident >> 20} MiB")
        print("\n".join([line for line in lines if "xception" in line or "memory" in line or "occupy" in line][:30]))
        return False
    taken, peak = time.monotonic() - ended, server.peak()
    refused, cut = (now - then for now, then in zip(server.metrics("perch_memory_refused_total", "perch_memory_ended_total"), before))
    print(f"{name}: {connections} connections, peak {peak >> 20} MiB (heap and stacks {watch.resident >> 20} MiB), peers at most {watch.used >> 20} MiB, accepts refused {refused}, "
          f"ended {cut}; well-behaved clients: {watch.answers} answers, {len(watch.failures)} failures, slowest {watch.slowest:.2f} s, "
          f"new connection {watch.slowest_new:.2f} s; {baseline >> 20} MiB before, {after >> 20} MiB {taken:.0f} s after", flush=True)
    for failure in watch.failures[:3]:
        print("  " + failure)
    # A flood writes more records than the limit to the disk: its peak has the page cache, which the kernel frees before it ends a process.
    peak = watch.resident if name == "flood" else peak
    return not watch.failures and peak < LIMIT and after <= baseline + SLACK and taken <= RETURN


def main():
    executable, loads = sys.argv[1], sys.argv[2].split()
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    cgroup = Cgroup()
    print(f"cgroup of version {cgroup.version}" if cgroup.path else f"no cgroup: a heap of {HEAP_LIMIT} bytes", flush=True)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        server = Server(executable, cgroup, pathlib.Path(folder))
        try:
            print(f"budget {server.metrics('perch_memory_budget_bytes')[0] >> 20} MiB", flush=True)
            time.sleep(2)
            baseline = server.resident()
            for name in loads:
                results.append(run(server, name, baseline))
                if server.process.poll() is not None:
                    break
        finally:
            server.process.kill()
            server.process.wait()
            cgroup.close()
            print("\n".join([line for line in server.log().splitlines() if "occupy" in line][-10:]))
    if not all(results) or len(results) != len(loads):
        sys.exit(1)


if __name__ == "__main__":
    main()
