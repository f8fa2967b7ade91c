"""Tutorial B: the two ways to start a thread. Arguments: port, function or object."""
import _thread
import socket
import sys
import threading

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", int(sys.argv[1])))
listener.listen(5)
print("port", listener.getsockname()[1], flush=True)


def serve(connection):
    while data := connection.recv(1000):
        connection.sendall(b"GOT:" + data)
    connection.close()


class Session(threading.Thread):
    def __init__(self, connection):
        super().__init__(daemon=True)
        self.connection = connection

    def run(self):
        serve(self.connection)


while True:
    accepted, _ = listener.accept()
    if sys.argv[2] == "function":
        _thread.start_new_thread(serve, (accepted,))
    else:
        Session(accepted).start()
