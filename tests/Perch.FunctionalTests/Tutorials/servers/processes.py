"""Tutorials A and C: several processes share the load of one port. Arguments: port, processes."""
import os
import socket
import sys


def create_server(port):
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    server.bind(("127.0.0.1", port))
    server.listen(128)
    return server


first = create_server(int(sys.argv[1]))
port = first.getsockname()[1]
servers = [first] + [create_server(port) for _ in range(int(sys.argv[2]) - 1)]
for server in servers[1:]:
    if os.fork() == 0:
        break
else:
    server = first
    print("port", port, flush=True)
while True:
    connection, _ = server.accept()
    print("Connection in process", os.getpid(), flush=True)
    while data := connection.recv(1000):
        connection.sendall(b"GOT:" + data)
    connection.close()
