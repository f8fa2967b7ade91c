"""Many clients at once: all connect, then each speaks in its turn, the last one first. Arguments: host, port, clients."""
import socket
import sys

clients = [socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20) for _ in range(int(sys.argv[3]))]
for turn in ("Hello", "World"):
    for number, client in reversed(list(enumerate(clients))):
        client.sendall(f"{turn} {number}".encode("utf-8"))
    for number, client in enumerate(clients):
        print("received", client.recv(1000))
for client in clients:
    client.close()
