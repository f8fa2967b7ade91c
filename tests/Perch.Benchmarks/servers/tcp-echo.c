// The baseline: the least that a TCP echo on Linux does. One thread, edge-triggered epoll, a receive, a send.
// What a socket does not take at once is kept, and its connection is not read until it is gone; the others go on.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 512, BYTES = 256 * 1024, ACCEPTS = 64 };

// Sixteen bytes a connection, by descriptor.
struct unsent {
    char *bytes;
    int from, left;
};

static char bytes[BYTES];
static struct epoll_event events[EVENTS];
static struct unsent *unsent;
static int epoll;

static void watch(int fd, int change, unsigned interest) {
    struct epoll_event event = {.events = interest | EPOLLIN | EPOLLRDHUP | EPOLLET, .data.fd = fd};
    epoll_ctl(epoll, change, fd, &event);
}

static void drop(int fd) {
    free(unsent[fd].bytes);
    unsent[fd].bytes = NULL;
    close(fd);
}

// How many bytes the socket took, or -1 where the connection is gone.
static int send_most(int fd, const char *from, int left) {
    int taken = 0;
    while (taken < left) {
        ssize_t sent = send(fd, from + taken, left - taken, MSG_NOSIGNAL);
        if (sent >= 0) taken += sent;
        else if (errno == EAGAIN) break;
        else if (errno != EINTR) return -1;
    }
    return taken;
}

static void echo(int fd, unsigned news) {
    for (;;) {
        ssize_t received = recv(fd, bytes, BYTES, 0);
        if (received < 0 && errno == EAGAIN) return;
        int taken = received > 0 ? send_most(fd, bytes, received) : -1;
        if (taken < 0) return drop(fd);
        if (taken < received) {
            unsent[fd] = (struct unsent){malloc(received - taken), 0, received - taken};
            memcpy(unsent[fd].bytes, bytes + taken, received - taken);
            return watch(fd, EPOLL_CTL_MOD, EPOLLOUT);
        }
        // A short receive was all there is.
        if (received < BYTES && !(news & EPOLLRDHUP)) return;
    }
}

static void send_unsent(int fd) {
    struct unsent *rest = &unsent[fd];
    int taken = send_most(fd, rest->bytes + rest->from, rest->left);
    if (taken < 0) return drop(fd);
    rest->from += taken;
    rest->left -= taken;
    if (rest->left > 0) return;
    free(rest->bytes);
    rest->bytes = NULL;
    // What came meanwhile is told of again.
    watch(fd, EPOLL_CTL_MOD, 0);
}

static void accept_some(int listener) {
    for (int i = 0; i < ACCEPTS; i++) {
        int accepted = accept4(listener, NULL, NULL, SOCK_NONBLOCK), one = 1;
        if (accepted < 0) return;
        setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        watch(accepted, EPOLL_CTL_ADD, 0);
    }
}

int main(void) {
    struct rlimit descriptors;
    getrlimit(RLIMIT_NOFILE, &descriptors);
    descriptors.rlim_cur = descriptors.rlim_max;
    setrlimit(RLIMIT_NOFILE, &descriptors);
    unsent = calloc(descriptors.rlim_cur, sizeof *unsent);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 65535)) return 1;
    if (getsockname(listener, (struct sockaddr *)&address, &length)) return 1;
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll = epoll_create1(0);
    struct epoll_event interest = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &interest);
    for (;;) {
        int count = epoll_wait(epoll, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == listener) accept_some(listener);
            else if (unsent[fd].bytes) send_unsent(fd);
            else echo(fd, events[i].events);
        }
    }
}
