// A datagram under way on each socket; one that is lost is sent again after a while, and not counted.
#include "load.h"
#include <arpa/inet.h>
#include <errno.h>

enum { LOST_AFTER_MS = 200 };

static void ask(struct peer *peer) {
    // Its number is its first bytes, so that a late answer is not taken for this one's.
    uint64_t number = ++peer->queued;
    static char datagram[MOST_BYTES];
    memcpy(datagram, pattern(peer, 0), options.bytes);
    memcpy(datagram, &number, sizeof number);
    peer->started = now();
    if (send(peer->fd, datagram, options.bytes, 0) < 0 && errno != EAGAIN) fail_call("send");
}

static void take(struct peer *peer) {
    ssize_t length;
    while ((length = recv(peer->fd, received, MOST_BYTES, 0)) >= 0) {
        uint64_t number;
        memcpy(&number, received, sizeof number);
            if (length != options.bytes || memcmp(received + sizeof number, pattern(peer, 0) + sizeof number, length - sizeof number)) fail("the server sent another datagram back");
        if (number != peer->queued) continue;
        count_message(now() - peer->started);
        ask(peer);
    }
    if (errno != EAGAIN) fail_call("receive");
}

void run_udp(void) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_port = htons(options.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (options.bytes < (int)sizeof(uint64_t)) fail("a datagram is too short for its number");
    for (int i = 0; i < options.connections; i++) {
        struct peer *peer = &peers[i];
        *peer = (struct peer){.fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), .offset = i * 7919 % PERIOD, .state = OPEN};
        if (connect(peer->fd, (struct sockaddr *)&server, sizeof server)) fail_call("connect");
        struct epoll_event interest = {.events = EPOLLIN | EPOLLET, .data.ptr = peer};
        epoll_ctl(epoll, EPOLL_CTL_ADD, peer->fd, &interest);
        ask(peer);
    }
    begin_measurement();
    for (uint64_t swept = now(); !is_over();) {
        int count = epoll_wait(epoll, events, EVENTS, 10);
        for (int i = 0; i < count; i++) take(events[i].data.ptr);
        if (now() - swept < LOST_AFTER_MS * 500000ull) continue;
        swept = now();
        for (int i = 0; i < options.connections; i++) {
            if (swept - peers[i].started > LOST_AFTER_MS * 1000000ull) ask(&peers[i]);
        }
    }
    end_measurement();
}
