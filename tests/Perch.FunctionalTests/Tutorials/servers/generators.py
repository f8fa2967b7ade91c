"""Tutorial D: an echo whose tasks are generators, on one thread. Arguments: port."""
import collections
import select
import socket
import sys

tasks = collections.deque()
receiving, sending = {}, {}


def run():
    while tasks or receiving or sending:
        while not tasks:
            readable, writable, _ = select.select(receiving, sending, [])
            tasks.extend(receiving.pop(ready) for ready in readable)
            tasks.extend(sending.pop(ready) for ready in writable)
        task = tasks.popleft()
        try:
            reason, on = next(task)
            (receiving if reason == "recv" else sending)[on] = task
        except StopIteration:
            pass


def tcp_server(address, handler):
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(address)
    listener.listen(5)
    print("port", listener.getsockname()[1], flush=True)
    while True:
        yield "recv", listener
        tasks.append(handler(*listener.accept()))


def echo_handler(connection, address):
    print("Connection from", address, flush=True)
    while True:
        yield "recv", connection
        data = connection.recv(1000)
        if not data:
            break
        yield "send", connection
        connection.send(b"GOT:" + data)
    print("Connection closed", flush=True)
    connection.close()


tasks.append(tcp_server(("127.0.0.1", int(sys.argv[1])), echo_handler))
run()
