"""The tutorials' event loop: a scheduler of generators over select. A task yields what it waits for, and a socket."""
import select
import socket
from collections import deque

tasks, receiving, sending = deque(), {}, {}


def run():
    while True:
        while not tasks:
            can_receive, can_send, _ = select.select(receiving, sending, [])
            tasks.extend(receiving.pop(one) for one in can_receive)
            tasks.extend(sending.pop(one) for one in can_send)
        task = tasks.popleft()
        try:
            why, what = next(task)
            (receiving if why == "recv" else sending)[what] = task
        except (StopIteration, OSError):
            pass


def serve():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(4096)
    print("port", listener.getsockname()[1], flush=True)
    while True:
        yield "recv", listener
        client, _ = listener.accept()
        tasks.append(echo(client))


def echo(client):
    with client:
        while True:
            yield "recv", client
            data = client.recv(65536)
            if not data:
                return
            while data:
                yield "send", client
                data = data[client.send(data):]


tasks.append(serve())
run()
