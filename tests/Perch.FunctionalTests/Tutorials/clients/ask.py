"""Sends each message, waits for its answer, and closes. Arguments: host, port, messages (text, or hex: and bytes)."""
import socket
import sys

connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
connection.settimeout(20)
connection.connect((sys.argv[1], int(sys.argv[2])))
for message in sys.argv[3:]:
    data = bytes.fromhex(message[4:]) if message.startswith("hex:") else message.encode("utf-8")
    connection.sendall(data)
    print("sent", len(data))
    answer = connection.recv(5120)
    print("received", answer) if answer else print("end")
connection.close()
