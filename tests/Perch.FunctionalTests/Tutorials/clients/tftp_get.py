"""Reads a file over TFTP and ignores the first copy of its second block, as if it were lost. Arguments: host, port, name."""
import hashlib
import socket
import struct
import sys

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
client.settimeout(20)
client.sendto(struct.pack("!H", 1) + sys.argv[3].encode("utf-8") + b"\0octet\0", (sys.argv[1], int(sys.argv[2])))
content, lost = b"", False
while True:
    packet, server = client.recvfrom(1024)
    operation, number = struct.unpack("!HH", packet[:4])
    print("received", operation, number, len(packet) - 4, hashlib.sha256(packet[4:]).hexdigest()[:16])
    if number == 2 and not lost:
        lost = True
        continue
    content += packet[4:]
    client.sendto(struct.pack("!HH", 4, number), server)
    if len(packet) < 516:
        break
print("file", len(content), hashlib.sha256(content).hexdigest())
