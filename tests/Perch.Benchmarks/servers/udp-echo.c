// The baseline: the least that a batched UDP echo on Linux does. One socket on loopback, one recvmmsg that waits for the
// first of up to 64 datagrams, one sendmmsg that sends them all back. Compiled by the comparison: cc -O2.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

enum { BATCH = 64, MOST_BYTES = 65535 };

static char bytes[BATCH][MOST_BYTES];
static struct sockaddr_in peers[BATCH];
static struct iovec buffers[BATCH];
static struct mmsghdr messages[BATCH];

int main(void) {
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int receive_buffer = 1 << 20;
    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer, sizeof receive_buffer);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) || getsockname(fd, (struct sockaddr *)&address, &length)) return 1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (int i = 0; i < BATCH; i++) {
        buffers[i].iov_base = bytes[i];
        messages[i].msg_hdr = (struct msghdr){.msg_name = &peers[i], .msg_iov = &buffers[i], .msg_iovlen = 1};
    }
    for (;;) {
        for (int i = 0; i < BATCH; i++) {
            buffers[i].iov_len = MOST_BYTES;
            messages[i].msg_hdr.msg_namelen = sizeof peers[i];
        }
        int count = recvmmsg(fd, messages, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0) continue;
        for (int i = 0; i < count; i++) buffers[i].iov_len = messages[i].msg_len;
        for (int sent = 0; sent < count;) {
            int n = sendmmsg(fd, messages + sent, count - sent, 0);
            sent += n > 0 ? n : 1;
        }
    }
}
