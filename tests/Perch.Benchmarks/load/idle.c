// Connections that do nothing. Commands come in lines on standard input, and each is answered with "done" when it is done:
//   open N      there are N connections in all
//   message N   the next N exchange one message each
// A connection that the server closes ends it. The end of the input does too.
#include "load.h"
#include <errno.h>
#include <fcntl.h>

enum { AT_ONCE = 256, STALL_MS = 15000 };

static int opened, next;

static void exchange(int count) {
    for (int asked = 0, answered = 0; answered < count;) {
        for (; asked < count && asked - answered < AT_ONCE; asked++) {
            struct peer *peer = &peers[next++ % opened];
            peer->queued = peer->sent += options.bytes;
            if (send(peer->fd, pattern(peer, peer->sent - options.bytes), options.bytes, MSG_NOSIGNAL) != options.bytes) fail_call("send");
        }
        int ready = epoll_wait(epoll, events, EVENTS, STALL_MS);
        if (ready == 0) fail("the server does not answer");
        for (int i = 0; i < ready; i++) {
            struct peer *peer = events[i].data.ptr;
            ssize_t length = peer ? recv(peer->fd, received, MOST_BYTES, 0) : -1;
            if (length < 0 && (!peer || errno == EAGAIN)) continue;
            if (length <= 0) fail("the server closed an idle connection");
            check(peer, length);
            peer->received += length;
            answered += peer->received == peer->sent;
        }
    }
}

static void obey(const char *line) {
    int count;
    if (sscanf(line, "open %d", &count) == 1 && count <= options.connections) {
        connect_all(opened, count);
        opened = count;
    } else if (sscanf(line, "message %d", &count) == 1 && opened > 0) {
        exchange(count);
    } else {
        fail("unknown command");
    }
    puts("done");
    fflush(stdout);
}

void run_idle(void) {
    char line[64];
    struct epoll_event input = {.events = EPOLLIN, .data.ptr = NULL};
    // Unbuffered: what has been read ahead would not wake us.
    setvbuf(stdin, NULL, _IONBF, 0);
    for (;;) {
        // Only here: while a command is carried out, the next one waits.
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input)) fail_call("standard input");
        int count = epoll_wait(epoll, events, EVENTS, -1), commanded = 0;
        epoll_ctl(epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        for (int i = 0; i < count; i++) {
            if (events[i].data.ptr == NULL) commanded = 1;
            else if (events[i].events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) fail("the server closed an idle connection");
        }
        if (commanded && !fgets(line, sizeof line, stdin)) return;
        if (commanded) obey(line);
    }
}
