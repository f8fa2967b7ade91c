"""Sends once, without a line end or a half-close, and reads to the end. Arguments: host, port, text or @length, more texts (30 ms apart)."""
import socket
import sys
import time

connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
connection.settimeout(20)
connection.connect((sys.argv[1], int(sys.argv[2])))
for index, text in enumerate(sys.argv[3:]):
    if index > 0:
        time.sleep(0.03)
    connection.sendall(b"x" * int(text[1:]) if text.startswith("@") else text.encode("utf-8"))
try:
    while answer := connection.recv(1024):
        print("received", answer.decode("utf-8"))
    print("end")
except ConnectionResetError:
    print("reset")
