"""Sends pieces 30 ms apart, whatever the messages are, ends its side, and reads to the end. Arguments: host, port, pieces."""
import socket
import sys
import time

connection = socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=20)
for piece in sys.argv[3:]:
    connection.sendall(piece.replace("\\n", "\n").encode("utf-8"))
    time.sleep(0.03)
connection.shutdown(socket.SHUT_WR)
received = b""
while data := connection.recv(1024):
    received += data
print("received", received)
