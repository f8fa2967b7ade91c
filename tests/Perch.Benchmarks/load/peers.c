// Connections from as many addresses of 127/8 as they need: one address has some 28,000 ports towards a server's.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/resource.h>

enum { OF_ADDRESS = 20000, IN_FLIGHT = 256, STALL_MS = 15000, FIRST_OCTETS = 0x7f000000, HOSTS = 250 };

void allow_descriptors(int count) {
    struct rlimit limit;
    rlim_t wanted = count + 100;
    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= wanted) return;
    limit.rlim_cur = wanted;
    if (limit.rlim_max < wanted) limit.rlim_max = wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit)) fail_call("more connections than descriptors: raise RLIMIT_NOFILE (ulimit -n)");
}

void begin_connect(struct peer *peer, uint64_t source) {
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) fail_call("no socket");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    // 127.0.1.1 and on; the port is chosen at the connect, when the whole pair is known.
    uint32_t address = options.first_address + source / OF_ADDRESS;
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(FIRST_OCTETS + ((1 + address / HOSTS) << 8) + 1 + address % HOSTS)};
    setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
    if (bind(fd, (struct sockaddr *)&from, sizeof from)) fail_call("bind");
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    *peer = (struct peer){.fd = fd, .offset = (peer - peers) * 7919 % PERIOD, .state = CONNECTING, .started = now(), .times = peer->times};
    if (connect(fd, (struct sockaddr *)&server, sizeof server) && errno != EINPROGRESS) fail_call("connect");
    struct epoll_event interest = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = peer};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &interest)) fail_call("epoll");
}

void end_connect(struct peer *peer) {
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(peer->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    errno = error;
    if (error) fail_call("connect");
    peer->state = OPEN;
}

void close_peer(struct peer *peer) {
    close(peer->fd);
    peer->state = CLOSED;
}

void connect_all(int from, int to) {
    for (int begun = from, pending = 0; begun < to || pending > 0;) {
        for (; begun < to && pending < IN_FLIGHT; begun++, pending++) begin_connect(&peers[begun], begun);
        int count = epoll_wait(epoll, events, EVENTS, STALL_MS);
        if (count == 0) fail("the server does not take connections");
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (events[i].events & EPOLLRDHUP) fail("the server closed a connection at once");
            if (peer->state != CONNECTING || !(events[i].events & (EPOLLOUT | EPOLLERR))) continue;
            end_connect(peer);
            pending--;
        }
    }
}
