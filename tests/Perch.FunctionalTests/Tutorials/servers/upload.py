"""Tutorial A, variant 2: one receive is written to one file. Arguments: port, file."""
import socket
import sys
import threading

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
print("port", listener.getsockname()[1], flush=True)


def serve(connection):
    data = connection.recv(1024)
    with open(sys.argv[2], "wb") as file:
        file.write(data)
    connection.sendall("ファイルアップロード完了".encode("utf-8"))
    connection.close()


while True:
    accepted, _ = listener.accept()
    threading.Thread(target=serve, args=(accepted,), daemon=True).start()
