"""Tutorial C over UDP: one datagram, one answer. Arguments: host, port, bytes to send (hex, or @length)."""
import socket
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(1)
payload = bytes(int(sys.argv[3][1:])) if sys.argv[3].startswith("@") else bytes.fromhex(sys.argv[3])
client.sendto(payload, (sys.argv[1], int(sys.argv[2])))
try:
    print("received", client.recv(1024).hex())
except socket.timeout:
    print("nothing")
client.close()
