// Messages that come back: each connection keeps some under way (closed loop), or all of them together send at a rate,
// whatever the server does (open loop; the time counts from when a message was due). Firehoses send what the socket takes.
#include "load.h"
#include <errno.h>
#include <sched.h>

enum { OPEN_LOOP_DEPTH = 4096, FIREHOSE_BYTES = 64 * 1024 };

static uint64_t ring;

static void send_queued(struct peer *peer) {
    while (peer->sent < peer->queued) {
        uint64_t left = peer->queued - peer->sent;
        ssize_t sent = send(peer->fd, pattern(peer, peer->sent), left < MOST_BYTES ? left : MOST_BYTES, MSG_NOSIGNAL);
        if (sent < 0 && errno == EAGAIN) return;
        if (sent < 0 && errno != EINTR) fail_call("send");
        if (sent > 0) peer->sent += sent;
    }
}

static void queue(struct peer *peer, uint64_t time) {
    peer->times[peer->queued / options.bytes % ring] = time;
    peer->queued += options.bytes;
}

static void take(struct peer *peer) {
    uint64_t before = peer->received / options.bytes, time = 0;
    for (;;) {
        ssize_t length = recv(peer->fd, received, MOST_BYTES, 0);
        if (length < 0 && errno == EINTR) continue;
        if (length < 0 && errno == EAGAIN) break;
        if (length < 0) fail_call("receive");
        if (length == 0) fail("the server closed a connection");
        time = now();
        check(peer, length);
        peer->received += length;
        if (length < MOST_BYTES) break;
    }
    uint64_t after = peer->received / options.bytes;
    for (uint64_t i = before; i < after; i++) {
        count_message(time - peer->times[i % ring]);
        if (options.rate == 0) queue(peer, time);
    }
    send_queued(peer);
}

// A turn of a firehose: at most one send and one receive, so that the others are looked at in between.
static void pump(struct peer *peer) {
    ssize_t sent = send(peer->fd, pattern(peer, peer->sent), FIREHOSE_BYTES, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail_call("send");
    if (sent > 0) peer->sent += sent;
    ssize_t length = recv(peer->fd, received, FIREHOSE_BYTES, 0);
    if (length < 0 && errno != EAGAIN) fail_call("receive");
    if (length == 0) fail("the server closed a connection");
    if (length > 0) {
        check(peer, length);
        peer->received += length;
        count_side_bytes(length);
    }
    peer->ready = sent > 0 || length > 0;
}

static int pump_all(void) {
    int ready = 0;
    for (int i = 0; i < options.firehoses; i++) {
        if (peers[i].ready) pump(&peers[i]);
        ready |= peers[i].ready;
    }
    return ready;
}

static void send_due(double *due, int *next) {
    for (double time = now(), step = 1e9 / options.rate; *due <= time; *due += step) {
        struct peer *peer = &peers[*next];
        *next = *next + 1 < options.connections ? *next + 1 : options.firehoses;
        if ((peer->queued - peer->received) / options.bytes + 1 >= ring) fail("the server does not keep up with the rate");
        queue(peer, (uint64_t)*due);
        send_queued(peer);
    }
}

void run_echo(void) {
    ring = options.rate > 0 ? OPEN_LOOP_DEPTH : options.depth + 1;
    for (int i = options.firehoses; i < options.connections; i++) peers[i].times = malloc(ring * sizeof(uint64_t));
    connect_all(0, options.connections);
    double due = now();
    int next = options.firehoses;
    for (int i = 0; i < options.firehoses; i++) peers[i].ready = 1;
    for (int i = options.firehoses; i < options.connections && options.rate == 0; i++) {
        for (int k = 0; k < options.depth; k++) queue(&peers[i], now());
        send_queued(&peers[i]);
    }
    begin_measurement();
    while (!is_over()) {
        if (options.rate > 0) send_due(&due, &next);
        int busy = pump_all() || options.rate > 0, count = epoll_wait(epoll, events, EVENTS, busy ? 0 : 50);
        // An open loop spins, to be on time; where it has no processor of its own it lets the server in.
        if (options.rate > 0 && count == 0) sched_yield();
        for (int i = 0; i < count; i++) {
            struct peer *peer = events[i].data.ptr;
            if (peer < peers + options.firehoses) peer->ready = 1;
            else if (events[i].events & ~EPOLLOUT) take(peer);
            else send_queued(peer);
        }
    }
    end_measurement();
}
