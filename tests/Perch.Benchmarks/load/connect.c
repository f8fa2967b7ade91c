// Connect, send one message and the end, read it back and the server's end, close; again. From 200 addresses in turn, since the
// side that ends first keeps the port for a minute.
#include "load.h"
#include <errno.h>

enum { ADDRESSES = 200, OF_ADDRESS = 20000, STALL_MS = 5000 };

static uint64_t connected;

static void begin(struct peer *peer) { begin_connect(peer, connected++ % ADDRESSES * OF_ADDRESS); }

static void ask(struct peer *peer) {
    end_connect(peer);
    peer->queued = options.bytes;
    peer->sent = options.bytes;
    if (send(peer->fd, pattern(peer, 0), options.bytes, MSG_NOSIGNAL) != options.bytes) fail_call("send");
    shutdown(peer->fd, SHUT_WR);
}

static void take(struct peer *peer) {
    for (;;) {
        ssize_t length = recv(peer->fd, received, MOST_BYTES, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == EAGAIN) return;
        if (length < 0) fail_call("receive");
        if (length == 0) break;
        check(peer, length);
        peer->received += length;
    }
    if (peer->received != peer->sent) fail("the server closed before it had answered");
    count_message(now() - peer->started);
    close_peer(peer);
    begin(peer);
}

void run_connect(void) {
    for (int i = 0; i < options.connections; i++) begin(&peers[i]);
    begin_measurement();
    while (!is_over()) {
        int count = epoll_wait(epoll, events, EVENTS, STALL_MS);
        if (count == 0) fail("the server answers no connection");
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer->state == CONNECTING) ask(peer);
            if (events[i].events & ~EPOLLOUT) take(peer);
        }
    }
    end_measurement();
}
