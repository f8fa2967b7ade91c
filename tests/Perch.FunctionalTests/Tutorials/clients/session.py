"""Tutorial B's client: a prompt, a message for each line, and quit. Arguments: host, port."""
import socket
import sys

connection = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
try:
    connection.connect((sys.argv[1], int(sys.argv[2])))
except OSError:
    print("Connection Error")
    sys.exit()
print("Please enter 'quit' to exit")
message = input(" -> ")
while message != "quit":
    connection.sendall(message.encode("utf-8"))
    while connection.recv(5120) not in (b"-", b""):
        pass
    message = input(" -> ")
connection.sendall(b"--quit--")
