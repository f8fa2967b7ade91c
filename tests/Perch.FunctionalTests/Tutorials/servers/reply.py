"""Tutorial A: a thread per client, one receive, one answer. Arguments: port (0: any)."""
import socket
import sys
import threading

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
print("port", listener.getsockname()[1], flush=True)


def serve(connection):
    data = connection.recv(1024)
    print("受信データ:", data.decode("utf-8"), flush=True)
    connection.sendall("データ送信".encode("utf-8"))
    connection.close()


while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
