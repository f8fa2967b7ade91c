// One way: each connection sends messages as fast as the socket takes them.
#include "load.h"
#include <errno.h>

static void send_message(struct peer *peer) {
    uint64_t before = peer->sent / options.bytes;
    ssize_t sent = send(peer->fd, pattern(peer, peer->sent), options.bytes, MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN) fail_call("send");
    if (sent > 0) peer->sent += sent;
    peer->ready = sent > 0;
    count_messages(peer->sent / options.bytes - before);
}

void run_send(void) {
    connect_all(0, options.connections);
    for (int i = 0; i < options.connections; i++) peers[i].ready = 1;
    begin_measurement();
    while (!is_over()) {
        int busy = 0;
        for (int i = 0; i < options.connections; i++) {
            if (peers[i].ready) send_message(&peers[i]);
            busy |= peers[i].ready;
        }
        int count = epoll_wait(epoll, events, EVENTS, busy ? 0 : 50);
        for (int i = 0; i < count; i++) {
            if (events[i].events & EPOLLRDHUP) fail("the server closed a connection");
            ((struct peer *)events[i].data.ptr)->ready = 1;
        }
    }
    end_measurement();
}
