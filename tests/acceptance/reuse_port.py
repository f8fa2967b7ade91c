"""The part of reuse-port.sh in one network namespace: two processes, 20 restarts, 1,000 connects during each."""

import collections
import json
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

RESTARTS = 20
CONNECTS = 1000
STOP_AT = 300
CLIENTS = 32
PORT = 25000
TIMEOUT = 10.0
# A lost SYN is sent again after a second (RFC 6298).
SLOW = 0.9
# Share of connects that may be lost without migration. Perch's sockets reset what arrives between their last accept and their close;
# Kestrel's sockets reset the whole queue.
MOST_LOST = {"Direct": 0.001, "Kestrel": 0.01}


class Server:
    """One Perch process with an admin port of its own."""

    def __init__(self, executable, engine, admin, folder):
        self.executable, self.admin, self.folder = executable, admin, folder
        endpoint = {"Port": PORT, "Protocol": "echo", "ReusePort": True, "LogConnections": "None", "Options": {"Framing": "Line"}}
        settings = {
            "Perch": {"SocketEngine": engine, "Endpoints": {"echo": endpoint}},
            "Kestrel": {"Endpoints": {"Admin": {"Url": f"http://127.0.0.1:{admin}"}}},
        }
        folder.mkdir()
        (folder / "appsettings.json").write_text(json.dumps(settings))
        self.start()

    def start(self):
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.executable], cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while not self.is_ready():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("a server did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.02)

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}/health/ready", timeout=1) as answer:
                return answer.status == 200
        except OSError:
            return False

    def stop(self):
        self.process.send_signal(signal.SIGTERM)

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


def dialogue():
    """One connect, one message, one answer. Returns the outcome and how long it took."""
    started = time.monotonic()
    outcome = "answered"
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(TIMEOUT)
    # Closed with a reset: a port in TIME_WAIT for each connect would use up the ports.
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    try:
        client.connect(("127.0.0.1", PORT))
        client.sendall(b"x\n")
        answer = b""
        while len(answer) < 5 and (part := client.recv(5)):
            answer += part
        if answer != b"GOT:x":
            outcome = "unanswered" if not answer else "wrong"
    except ConnectionRefusedError:
        outcome = "refused"
    except (ConnectionResetError, BrokenPipeError):
        outcome = "reset"
    except TimeoutError:
        outcome = "timeout"
    finally:
        client.close()
    return outcome, time.monotonic() - started


def burst(on_connect):
    """CONNECTS dialogues by CLIENTS threads. Calls on_connect with the number of each before it begins."""
    numbers = iter(range(CONNECTS))
    lock = threading.Lock()
    results = []

    def client():
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            on_connect(number)
            result = dialogue()
            with lock:
                results.append(result)

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def main():
    executable, engine, migrate = sys.argv[1], sys.argv[2], sys.argv[3] == "1"
    counts = collections.Counter()
    slow, longest = 0, 0.0
    with tempfile.TemporaryDirectory() as folder:
        servers = []
        try:
            servers = [Server(executable, engine, 8080 + i, pathlib.Path(folder) / str(i)) for i in range(2)]
            for restart in range(RESTARTS):
                server = servers[restart % 2]
                results = burst(lambda number: server.stop() if number == STOP_AT else None)
                if server.process.wait(timeout=60) != 0:
                    raise RuntimeError(f"a server ended with {server.process.returncode}")
                server.start()
                counts.update(outcome for outcome, _ in results)
                slow += sum(seconds > SLOW for _, seconds in results)
                longest = max(longest, max(seconds for _, seconds in results))
        finally:
            for server in servers:
                server.kill()

    total = RESTARTS * CONNECTS
    print(f"{total} connects, {RESTARTS} restarts: " + ", ".join(
        f"{counts[name]} {name}" for name in ("answered", "unanswered", "refused", "reset", "timeout", "wrong")))
    print(f"{slow} took more than {SLOW} s; the longest {longest:.2f} s")
    lost = counts["refused"] + counts["reset"] + counts["timeout"]
    allowed = 0 if migrate else MOST_LOST[engine] * total
    if counts["wrong"] or lost > allowed or counts["answered"] + counts["unanswered"] + lost != total:
        sys.exit(f"lost {lost}, allowed {allowed:.0f}")


main()
