"""The part of upload-limits.sh in its own namespaces: the limits of the file store under 200 uploads at once, and its counters after kills."""

import collections
import json
import os
import pathlib
import random
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

CLIENTS = 200
FILES, UPLOAD, ADMIN = 9995, 9996, 8080
MIB = 1024 * 1024
WRITERS, NAMES, ROUNDS = 8, 5, 10
OWN = ".perch"


class Server:
    """One Perch process on a folder of its own."""

    def __init__(self, executable, folder, **files):
        self.executable, self.folder = executable, pathlib.Path(folder)
        self.store = self.folder / "data" / "files"
        endpoint = {"LogConnections": "None"}
        settings = {
            "Perch": {
                "Endpoints": {
                    "files": {"Port": FILES, "Protocol": "files", **endpoint},
                    "upload": {"Port": UPLOAD, "Protocol": "upload", "Options": {"Folder": ""}, **endpoint},
                },
                "Files": files,
            },
            "Kestrel": {"Endpoints": {"Admin": {"Url": f"http://127.0.0.1:{ADMIN}"}}},
            "Serilog": {"MinimumLevel": {"Default": "Warning"}},
        }
        (self.folder / "appsettings.json").write_text(json.dumps(settings))
        self.start()

    def start(self):
        with open(self.folder / "log", "a", encoding="utf-8") as log:
            self.process = subprocess.Popen([self.executable], cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 60
        while self.health() is None or not (self.store / OWN / "meta" / "f").exists():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("the server did not start:\n" + (self.folder / "log").read_text())
            time.sleep(0.02)

    def health(self):
        """The state of the check "files"; None if the server does not answer."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/health/ready", timeout=10) as answer:
                return json.load(answer)["checks"]["files"]["status"]
        except urllib.error.HTTPError as error:
            return json.load(error)["checks"]["files"]["status"]
        except OSError:
            return None

    def metrics(self):
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        sums = collections.Counter()
        for name, value in re.findall(r"^(perch_files_\w+)(?:\{.*\})? (\S+)$", text, re.MULTILINE):
            sums[name] += int(float(value))
        return sums

    def counters(self):
        """Whole files, unfinished uploads and the bytes of both, when no upload is in progress any more."""
        deadline = time.monotonic() + 60
        while (metrics := self.metrics())["perch_files_active"]:
            if time.monotonic() > deadline:
                raise RuntimeError("uploads are still in progress")
            time.sleep(0.02)
        return metrics["perch_files_stored"], metrics["perch_files_partials"], metrics["perch_files_size_bytes"]

    def scan(self):
        """The same from the folder. Files first: an upload that is published in between is missed rather than counted twice."""
        files = self.sizes(self.store)
        uploads = self.sizes(self.store / OWN / "uploads")
        return len(files), len(uploads), sum(files) + sum(uploads)

    @staticmethod
    def sizes(folder):
        sizes = []
        with os.scandir(folder) as entries:
            for entry in entries:
                try:
                    if entry.is_file() and not entry.name.startswith("probe."):
                        sizes.append(entry.stat().st_size)
                except FileNotFoundError:
                    pass  # Published, replaced or deleted in the meantime.
        return sizes

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


class Watch(threading.Thread):
    """Samples a value all the time and keeps its extremes."""

    def __init__(self, sample):
        super().__init__(daemon=True)
        self.sample, self.seen, self.stopped, self.error = sample, [], threading.Event(), None
        self.lowest, self.highest, self.count = float("inf"), float("-inf"), 0

    def run(self):
        while not self.stopped.is_set():
            try:
                value = self.sample()
            except OSError as error:
                self.error = error
                return
            self.lowest, self.highest, self.count = min(self.lowest, value), max(self.highest, value), self.count + 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stopped.set()
        self.join()
        if self.error:
            raise self.error


class Client:
    """One connection of the protocol files, from an address of 127.0.0.0/8."""

    def __init__(self, port=FILES, source="127.0.0.1"):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=120, source_address=(source, 0))
        self.reader = self.socket.makefile("rb")

    def ask(self, line, payload=b""):
        self.socket.sendall(line.encode() + b"\n" + payload)
        return self.answer()

    def answer(self):
        line = self.reader.readline()
        if not line:
            raise ConnectionError("the server closed")
        return line.decode().rstrip("\n")

    def close(self):
        self.reader.close()
        self.socket.close()


def fail(text):
    sys.exit(text)


def expect(condition, text):
    if not condition:
        fail(text)


def at_once(work):
    """Runs work(i) by CLIENTS threads that start together; returns the results."""
    barrier = threading.Barrier(CLIENTS)
    results = [None] * CLIENTS

    def run(i):
        barrier.wait()
        try:
            results[i] = work(i)
        except OSError as error:
            results[i] = f"EXC {error}"

    threads = [threading.Thread(target=run, args=(i,)) for i in range(CLIENTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def outcomes(results):
    return dict(collections.Counter(" ".join(r.split()[:2]) if r.startswith(("ERR", "EXC")) else r.split()[0] for r in results))


def put(i, size):
    """An upload of announced length."""
    client = Client()
    try:
        return client.ask(f"PUT f{i} {size}", os.urandom(size))
    finally:
        client.close()


def send(_, size):
    """An upload of unknown length: the bytes, then the end of the stream."""
    with socket.create_connection(("127.0.0.1", UPLOAD), timeout=120) as client:
        try:
            client.sendall(os.urandom(size))
            client.shutdown(socket.SHUT_WR)
        except (BrokenPipeError, ConnectionResetError):
            pass
        answer = b""
        while part := client.recv(4096):
            answer += part
        text = answer.decode()
        return text if text.startswith("ERR") else "OK"


KINDS = {"announced": put, "unannounced": send}


def max_bytes(executable, folder):
    limit, size = 50 * MIB, MIB
    for kind, upload in KINDS.items():
        with serving(executable, folder, MaxBytes=limit) as server, Watch(lambda: server.scan()[2]) as watch, \
                Watch(lambda: server.metrics()["perch_files_size_bytes"]) as counted:
            results = at_once(lambda i: upload(i, size))
        print(f"MaxBytes {limit}, {kind}: {outcomes(results)}; at most {watch.highest} bytes in {watch.count} scans, {counted.highest} by the counter")
        expect(max(watch.highest, counted.highest) <= limit, "MaxBytes was exceeded")
        expect(0 < sum(r.startswith("OK") for r in results) <= limit // size, "the number of stored files is wrong")
        expect(kind != "announced" or sum(r.startswith("OK") for r in results) == limit // size, "fewer files were stored than fit")


def max_files(executable, folder):
    limit = 50
    for kind, upload in KINDS.items():
        with serving(executable, folder, MaxFiles=limit) as server, Watch(lambda: server.scan()[0]) as watch:
            results = at_once(lambda i: upload(i, 1000))
        print(f"MaxFiles {limit}, {kind}: {outcomes(results)}; at most {watch.highest} files in {watch.count} scans")
        expect(watch.highest <= limit, "MaxFiles was exceeded")
        expect(sum(r.startswith("OK") for r in results) == limit, "the number of stored files is not the limit")


def max_partials(executable, folder):
    limit = 50
    with serving(executable, folder, MaxPartials=limit, MaxPartialsPerSource=0) as server, Watch(lambda: server.scan()[1]) as watch:
        clients = [Client() for _ in range(CLIENTS)]
        # Each begins and waits with its last byte.
        at_once(lambda i: clients[i].socket.sendall(f"PUT live{i} 2\na".encode()) or "OK")
        wait(lambda: server.metrics()["perch_files_partials"] == limit, "the uploads have begun")
        status = server.health()
        idle = at_once(lambda i: cut(f"idle{i}"))
        results = at_once(lambda i: finish(clients[i]))
        kept = sum(r.startswith("OK") for r in results)
        print(f"MaxPartials {limit}, live: {outcomes(results)}; at most {watch.highest} unfinished uploads in {watch.count} scans; readiness {status}")
        expect(kept == limit, "an upload that was admitted did not complete, or too many were admitted")
        expect(status == "Degraded", "readiness does not report the limit")
        at_once(lambda i: cut(f"left{i}"))
        late = put(9999, 1000)
        dropped = server.metrics()["perch_files_partials_dropped_total"]
        resumed = [resume(f"left{i}") for i in range(CLIENTS)]
        print(f"MaxPartials {limit}, idle: {CLIENTS} left, {dropped} dropped, a new upload: {late.split()[0]}; resumed {outcomes(resumed)}")
        expect(late.startswith("OK"), "idle uploads close the store")
        gone = [r for r in resumed if r.startswith("ERR")]
        expect(gone and all(r.startswith("ERR offset there is no unfinished upload of this name") for r in gone), "a dropped upload has no clear error")
        expect(sum(r.startswith("OK") for r in resumed) + len(gone) == CLIENTS and idle, "an upload has no answer")
    expect(watch.highest <= limit, "MaxPartials was exceeded")


def max_partials_per_source(executable, folder):
    limit = 20
    with serving(executable, folder, MaxPartialsPerSource=limit) as server, Watch(lambda: server.scan()[1]) as watch:
        other = Client(source="127.0.0.9")
        other.socket.sendall(b"PUT other 2\na")
        wait(lambda: server.metrics()["perch_files_partials"] == 1, "the other upload has begun")
        at_once(lambda i: cut(f"x{i}", "127.0.0.2"))
        answer = finish(other)
        print(f"MaxPartialsPerSource {limit}: at most {watch.highest} unfinished uploads in {watch.count} scans; another address: {answer.split()[0]}")
        expect(answer.startswith("OK"), "another address was affected")
    expect(watch.highest <= limit + 1, "MaxPartialsPerSource was exceeded")


def min_free(executable, folder):
    floor, size = 64 * MIB, 4 * MIB
    for kind, upload in KINDS.items():
        store = pathlib.Path(folder) / kind / "data" / "files"
        store.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", store], check=True)

        def free():
            status = os.statvfs(store)
            return status.f_bavail * status.f_frsize

        with serving(executable, folder, name=kind, MinFreeBytes=floor), Watch(free) as watch:
            results = at_once(lambda i: upload(i, size))
        subprocess.run(["umount", store], check=True)
        print(f"MinFreeBytes {floor}, {kind}: {outcomes(results)}; at least {watch.lowest} bytes were free in {watch.count} samples")
        expect(watch.lowest >= floor, "the disk was below its floor")
        expect(sum(r.startswith("OK") for r in results) >= 30, "too few files were stored")


def max_file_bytes(executable, folder):
    limit = MIB
    for kind, upload in KINDS.items():
        with serving(executable, folder, MaxFileBytes=limit) as server, Watch(
                lambda: max([0, *server.sizes(server.store), *server.sizes(server.store / OWN / "uploads")])) as watch:
            results = at_once(lambda i: upload(i, limit + i % 2))
        print(f"MaxFileBytes {limit}, {kind}: {outcomes(results)}; the longest had {watch.highest} bytes in {watch.count} scans")
        expect(watch.highest <= limit, "MaxFileBytes was exceeded")
        expect(sum(r.startswith("OK") for r in results) == CLIENTS // 2, "the files of the limit's length were not stored, or longer ones were")


def retention(executable, folder):
    # Looked at once a minute.
    after, interval = 5, 60
    with serving(executable, folder, AbandonAfter=f"00:00:{after:02}") as server:
        live = Client()
        live.socket.sendall(b"PUT live 2\na")
        at_once(lambda i: cut(f"x{i}"))
        left = time.monotonic()
        expect(server.scan()[1] == CLIENTS + 1, "an upload was not left")
        wait(lambda: server.scan()[1] == 1, "the abandoned uploads are gone", after + interval + 10)
        took = time.monotonic() - left
        answer = finish(live)
        print(f"AbandonAfter {after} s: {CLIENTS} abandoned uploads were gone {took:.0f} s after they were left; one in progress: {answer.split()[0]}")
        expect(took >= after - 1, "uploads were deleted early")
        expect(answer.startswith("OK"), "an upload in progress was deleted")
        expect(server.counters() == server.scan(), "the counters differ from the folder")


def cut(name, source="127.0.0.1"):
    """Begins an upload of two bytes, sends one and closes. Returns when the server has closed too."""
    client = Client(source=source)
    try:
        client.socket.sendall(f"PUT {name} 2\na".encode())
        client.socket.shutdown(socket.SHUT_WR)
        return client.answer()
    finally:
        client.close()


def resume(name):
    client = Client()
    try:
        return client.ask(f"PUT {name} 2 offset=1", b"b")
    finally:
        client.close()


def finish(client):
    """The second byte of an upload; of one that was refused it is passed over."""
    try:
        client.socket.sendall(b"b")
        return client.answer()
    finally:
        client.close()


class serving:  # pylint: disable=invalid-name
    """A server on a new folder, killed at the end."""

    number = 0

    def __init__(self, executable, folder, name=None, **files):
        serving.number += 1
        self.executable, self.files = executable, {"MinFreeBytes": 0, **files}
        self.folder = pathlib.Path(folder) / (name or str(serving.number))

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        self.server = Server(self.executable, self.folder, **self.files)
        return self.server

    def __exit__(self, *_):
        self.server.kill()


def wait(condition, text, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            fail(f"not in {seconds} s: {text}")
        time.sleep(0.02)


class Writer:
    """One of the writers of the same names. A killed server costs it its connection and no more."""

    def __init__(self, seed, counts, lock):
        self.random, self.counts, self.lock, self.client = random.Random(seed), counts, lock, None

    def run(self, uploads):
        while uploads > 0:
            try:
                if self.client is None:
                    self.client = Client()
            except OSError:
                time.sleep(0.05)  # The server is starting.
                continue
            try:
                uploads -= self.step()
            except OSError:
                self.count("cut by a kill")
                self.drop()
                uploads -= 1
        self.drop()

    def step(self):
        """One command; returns the number of uploads in it."""
        name, kind = f"n{self.random.randrange(NAMES)}", self.random.random()
        if kind < 0.1:
            self.count("deletes" if self.client.ask(f"DELETE {name}") == "OK" else "deletes of nothing")
            return 0
        if kind < 0.2:
            return self.leave(name, self.random.randrange(1, 2000), 4000)
        if kind < 0.3:
            answer = self.client.ask(f"STAT {name}")
            offset = re.search(r"partial=(\d+)", answer)
            return self.leave(name, 10, 8000, int(offset[1])) if offset else 0
        size = self.random.choice([0, 1, 100, 3000, 3000, 70000])
        self.count("stored" if self.client.ask(f"PUT {name} {size}", bytes(size)).startswith("OK") else "refused")
        return 1

    def leave(self, name, size, length, offset=0):
        """Part of an upload, then the end of the connection."""
        self.client.socket.sendall(f"PUT {name} {length} offset={offset}\n".encode() + bytes(size))
        if self.random.random() < 0.5:
            self.client.socket.shutdown(socket.SHUT_WR)
            self.client.reader.read()
        self.drop()
        self.count("left")
        return 1

    def drop(self):
        if self.client is not None:
            self.client.close()
            self.client = None

    def count(self, what):
        with self.lock:
            self.counts[what] += 1


def counters(executable, folder, uploads):
    counts, lock, kills = collections.Counter(), threading.Lock(), 0
    with serving(executable, folder, MaxBytes=1 << 40, MaxFiles=1000) as server:
        for number in range(ROUNDS):
            writers = [Writer(number * WRITERS + i, counts, lock) for i in range(WRITERS)]
            before = sum(counts.values())
            threads = [threading.Thread(target=writer.run, args=(uploads // ROUNDS // WRITERS,)) for writer in writers]
            for thread in threads:
                thread.start()
            # In the middle of the round, and once more after some time.
            for share in (0.3, 0.6):
                wait(lambda: sum(counts.values()) - before >= share * uploads / ROUNDS or not any(t.is_alive() for t in threads), "writers go on", 300)
                server.kill()
                server.start()
                kills += 1
            for thread in threads:
                thread.join()
            counted, scanned = server.counters(), server.scan()
            expect(counted == scanned, f"round {number}: the counters are {counted}, a scan has {scanned} (files, unfinished uploads, bytes)")
            expect(server.health() == "Healthy", "readiness is not green")
        total = sum(counts[what] for what in ("stored", "left", "refused", "cut by a kill"))
        print(f"{total} uploads by {WRITERS} writers of {NAMES} names, {kills} kills: {dict(counts)}; counters and scan after each of {ROUNDS} rounds equal, at the end {scanned}")
        server.process.terminate()
        expect(server.process.wait(60) == 0, "the server did not stop in order")
        server.start()
        expect(server.counters() == scanned, "the counters after a restart differ")


def main():
    executable, uploads = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        for check in (max_bytes, max_files, max_partials, max_partials_per_source, min_free, max_file_bytes, retention):
            check(executable, folder)
        counters(executable, folder, uploads)


main()
