// The baseline: the least that a TCP echo on Linux does. One thread, edge-triggered epoll, a receive, a send.
// Compiled by the comparison: cc -O2. What a socket does not take at once is waited for with poll.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BYTES = 256 * 1024, ACCEPTS = 64 };

static char bytes[BYTES];
static struct epoll_event events[EVENTS];

static int send_all(int fd, const char *from, ssize_t left) {
    while (left > 0) {
        ssize_t sent = send(fd, from, left, MSG_NOSIGNAL);
        if (sent >= 0) {
            from += sent;
            left -= sent;
        } else if (errno == EAGAIN) {
            struct pollfd wait = {.fd = fd, .events = POLLOUT};
            poll(&wait, 1, -1);
        } else if (errno != EINTR) {
            return -1;
        }
    }
    return 0;
}

static void echo(int fd, unsigned news) {
    for (;;) {
        ssize_t received = recv(fd, bytes, BYTES, 0);
        if (received < 0 && errno == EAGAIN) return;
        if (received <= 0 || send_all(fd, bytes, received)) {
            close(fd);
            return;
        }
        // A short receive was all there is.
        if (received < BYTES && !(news & EPOLLRDHUP)) return;
    }
}

int main(void) {
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), one = 1, epoll = epoll_create1(0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 65535)) return 1;
    if (getsockname(listener, (struct sockaddr *)&address, &length)) return 1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd != listener) {
                echo(fd, events[i].events);
                continue;
            }
            for (int k = 0; k < ACCEPTS; k++) {
                int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK);
                if (accepted < 0) break;
                setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                interest = (struct epoll_event){.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = accepted};
                epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &interest);
            }
        }
    }
}
