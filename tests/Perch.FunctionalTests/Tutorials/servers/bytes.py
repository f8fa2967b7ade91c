"""Tutorial C: four bytes from one process to another. Arguments: port, tcp, tcp-receive or udp."""
import socket
import sys


def create_server(ip, port, kind=socket.SOCK_STREAM):
    server = socket.socket(socket.AF_INET, kind)
    server.bind((ip, port))
    if kind == socket.SOCK_STREAM:
        server.listen()
    print("port", server.getsockname()[1], flush=True)
    return server


mode = sys.argv[2]
server = create_server("127.0.0.1", int(sys.argv[1]), socket.SOCK_DGRAM if mode == "udp" else socket.SOCK_STREAM)
if mode == "udp":
    while True:
        data, peer = server.recvfrom(1024)
        print(f"Received {len(data)} bytes: {data.hex(' ')}", flush=True)
        server.sendto(bytes([1, 2, 3, 4]), peer)
connection, _ = server.accept()
if mode == "tcp":
    connection.sendall(bytes([1, 2, 3, 4]))
else:
    data = connection.recv(1024)
    print(f"Received {len(data)} bytes: {data.hex(' ')}", flush=True)
connection.close()
server.close()
