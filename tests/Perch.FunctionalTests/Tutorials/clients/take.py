"""Tutorial C's client: create_client, one receive, close. Arguments: host, port, and the bytes to send (hex), if any."""
import socket
import sys


def create_client(ip, port):
    client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect((ip, port))
    return client


client = create_client(sys.argv[1], int(sys.argv[2]))
if len(sys.argv) > 3:
    client.sendall(bytes.fromhex(sys.argv[3]))
    print("sent", sys.argv[3])
    # A close with unread bytes would reset the connection, and the server would lose what was sent.
    client.recv(1024)
else:
    print("received", client.recv(1024).hex())
client.close()
