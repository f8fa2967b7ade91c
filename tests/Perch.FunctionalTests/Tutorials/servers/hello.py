"""Tutorial B: a session per thread. Arguments: port."""
import socket
import sys
import threading

LIMIT = 5120

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
try:
    listener.bind(("127.0.0.1", int(sys.argv[1])))
except OSError as error:
    print("Bind failed:", error, flush=True)
    sys.exit(1)
listener.listen(6)
print("port", listener.getsockname()[1], flush=True)


def serve(connection, ip, port):
    while data := connection.recv(LIMIT):
        if len(data) >= LIMIT:
            print("The input size is greater than expected", flush=True)
        result = "Hello " + data.decode("utf-8").rstrip().upper()
        if "--QUIT--" in result:
            print("Client is requesting to quit", flush=True)
            break
        print("Processing the input received from client", flush=True)
        print("Processed result:", result, flush=True)
        connection.sendall(b"-")
    connection.close()
    print(f"Connection {ip}:{port} closed", flush=True)


while True:
    accepted, peer = listener.accept()
    print(f"Connected with {peer[0]}:{peer[1]}", flush=True)
    try:
        threading.Thread(target=serve, args=(accepted, *peer), daemon=True).start()
    except RuntimeError as error:
        print("Thread did not start:", error, flush=True)
