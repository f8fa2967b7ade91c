"""Tutorial C: UDP needs a protocol. One file over RFC 1350, block by block. Arguments: port, file."""
import socket
import struct
import sys

with open(sys.argv[2], "rb") as file:
    content = file.read()
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", int(sys.argv[1])))
print("port", server.getsockname()[1], flush=True)
while True:
    _, peer = server.recvfrom(1024)
    transfer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    transfer.bind(("127.0.0.1", 0))
    transfer.settimeout(1)
    for number in range(1, len(content) // 512 + 2):
        block = struct.pack("!HH", 3, number) + content[(number - 1) * 512:number * 512]
        acknowledged = None
        while acknowledged != struct.pack("!HH", 4, number):
            transfer.sendto(block, peer)
            try:
                acknowledged, _ = transfer.recvfrom(1024)
            except socket.timeout:
                print("Sent again: block", number, flush=True)
    transfer.close()
