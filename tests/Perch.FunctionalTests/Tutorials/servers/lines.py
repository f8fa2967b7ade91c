"""Tutorial C: the cure for joined and cut messages is a framing. Each line is a message. Arguments: port."""
import socket
import sys
import threading

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
print("port", listener.getsockname()[1], flush=True)


def serve(connection):
    for line in connection.makefile("rb"):
        connection.sendall(b"GOT:" + line.rstrip(b"\r\n"))
    connection.close()


while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
