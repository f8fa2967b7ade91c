"""The part of stale-sessions.sh that talks: 10 rounds of 10 TFTP writes whose endpoints are removed while the disk is slow."""

import json
import pathlib
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request

ROUNDS = 10
ENDPOINTS = 10
UPLOADS = 40
HALF = b"x" * 3000
STORED = "ファイルアップロード完了".encode()
TIMEOUT = 60.0
# Longer than Perch:Shutdown:Drain, so that a session outlives the drain. One upload waits for the disk several times.
SYNC_DELAY = 3.0
DRAIN = 1


def free_port(kind):
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    """A Perch process with one upload endpoint and several TFTP endpoints, which can be turned off."""

    def __init__(self, executable, folder):
        self.folder = folder
        self.admin, self.upload = free_port(socket.SOCK_STREAM), free_port(socket.SOCK_STREAM)
        self.tftp = [free_port(socket.SOCK_DGRAM) for _ in range(ENDPOINTS)]
        self.configure(True)
        with open(folder / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen([executable], cwd=folder, stdout=log, stderr=log)
        self.wait(lambda: self.is_ready(), "the server is ready")

    def configure(self, enabled):
        options = {"AllowWrite": True, "AllowOverwrite": True, "SinglePort": True}
        endpoints = {
            f"tftp-{number}": {"Port": port, "Transport": "Udp", "Protocol": "tftp", "Enabled": enabled, "Options": options}
            for number, port in enumerate(self.tftp)
        }
        endpoints["upload"] = {"Port": self.upload, "Protocol": "upload"}
        settings = {
            "Perch": {"Endpoints": endpoints, "Shutdown": {"Drain": f"00:00:{DRAIN:02}"}},
            "Kestrel": {"Endpoints": {"Admin": {"Url": f"http://127.0.0.1:{self.admin}"}}},
        }
        (self.folder / "appsettings.json").write_text(json.dumps(settings))

    def get(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.admin}{path}", timeout=TIMEOUT) as answer:
            return answer.read().decode()

    def is_ready(self):
        try:
            return bool(self.get("/health/ready"))
        except OSError:
            return False

    def states(self):
        return [endpoint["state"] for endpoint in json.loads(self.get("/endpoints")) if endpoint["name"].startswith("tftp-")]

    def wait(self, condition, what):
        deadline = time.monotonic() + TIMEOUT
        while not condition():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{what}: not so\n" + (self.folder / "log").read_text()[-4000:])
            time.sleep(0.05)


def write_over_tftp(port, name):
    """Sends a whole file. The server acknowledges the last block after the file is durable."""
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(TIMEOUT)
    client.sendto(struct.pack("!H", 2) + name.encode() + b"\0octet\0", ("127.0.0.1", port))
    answer, peer = client.recvfrom(2048)
    if answer != struct.pack("!HH", 4, 0):
        raise RuntimeError(f"the write was answered with {answer!r}")
    client.sendto(struct.pack("!HH", 3, 1) + b"last block", peer)
    return client


def run_round(server, number):
    server.configure(True)
    server.wait(lambda: server.states() == ["Listening"] * ENDPOINTS, "the TFTP endpoints listen")
    strace = subprocess.Popen(
        ["strace", "-f", "-qq", "-o", "/dev/null", "-p", str(server.process.pid), "-e", "trace=fsync,fdatasync",
         "-e", f"inject=fsync,fdatasync:delay_enter={int(SYNC_DELAY * 1e6)}"])
    status = pathlib.Path(f"/proc/{server.process.pid}/status")
    server.wait(lambda: "TracerPid:\t0\n" not in status.read_text(), "strace is attached")

    sessions = [write_over_tftp(port, f"round{number}-{index}") for index, port in enumerate(server.tftp)]
    server.configure(False)
    server.wait(lambda: all(state == "Stopped" for state in server.states()), "the TFTP endpoints are closed")
    uploads = []
    for _ in range(UPLOADS):
        upload = socket.create_connection(("127.0.0.1", server.upload), timeout=TIMEOUT)
        upload.sendall(HALF)
        uploads.append(upload)

    # The sessions end when the disk has answered them.
    time.sleep(SYNC_DELAY * 2)
    strace.send_signal(signal.SIGINT)
    strace.wait(TIMEOUT)
    shut = 0
    for upload in uploads:
        try:
            upload.sendall(HALF)
            upload.shutdown(socket.SHUT_WR)
            answer = b""
            while part := upload.recv(4096):
                answer += part
            shut += answer != STORED
        except OSError:
            shut += 1
        upload.close()
    for session in sessions:
        session.close()
    return shut


def main():
    with tempfile.TemporaryDirectory() as folder:
        server = Server(sys.argv[1], pathlib.Path(folder))
        try:
            shut = 0
            for number in range(ROUNDS):
                lost = run_round(server, number)
                shut += lost
                print(f"round {number + 1}: {ENDPOINTS} sessions outlived the drain, {lost} of {UPLOADS} uploads were shut down", flush=True)
            lengths = [json.loads(line)["length"] for line in server.get("/files?prefix=uploads/&limit=10000").splitlines()]
            cut = sum(length != 2 * len(HALF) for length in lengths)
            print(f"{ROUNDS * ENDPOINTS} sessions, {shut} uploads shut down, {len(lengths)} files stored, {cut} of them incomplete")
            if shut or cut or len(lengths) != ROUNDS * UPLOADS:
                sys.exit(1)
        finally:
            server.process.kill()
            server.process.wait()


if __name__ == "__main__":
    main()
