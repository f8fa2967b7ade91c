// The load generator: one thread on edge-triggered epoll, since a generator that costs more than the server measures itself.
// Every byte that comes back is checked; whatever is wrong ends it with a line on standard error.
#pragma once
#define _GNU_SOURCE
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

enum { EVENTS = 512, MOST_BYTES = 256 * 1024, PERIOD = 65521 };

// Times are nanoseconds of the monotonic clock.
struct options {
    const char *mode;
    int port, connections, bytes, depth, firehoses, first_address;
    pid_t server;
    double rate, seconds, warmup;
};

enum state { CLOSED, CONNECTING, OPEN };

// Positions count the bytes of the connection's own stream, which begins at offset of the pattern.
struct peer {
    int fd, offset, ready;
    enum state state;
    uint64_t queued, sent, received, started;
    uint64_t *times;
};

extern struct options options;
extern struct epoll_event events[EVENTS];
extern char received[MOST_BYTES];
extern struct peer *peers;
extern int epoll;

// fail_call also says what is in errno.
__attribute__((noreturn)) void fail(const char *what);
__attribute__((noreturn)) void fail_call(const char *what);
uint64_t now(void);

// patterns.c
void make_pattern(void);
const char *pattern(const struct peer *peer, uint64_t position);
void check(const struct peer *peer, ssize_t length);

// peers.c
void allow_descriptors(int count);
void begin_connect(struct peer *peer, uint64_t source);
void end_connect(struct peer *peer);
void close_peer(struct peer *peer);
void connect_all(int from, int to);

// measurement.c
void begin_measurement(void);
void end_measurement(void);
int measuring(void);
int is_over(void);
void count_message(uint64_t nanoseconds);
void count_messages(uint64_t count);
void count_side_bytes(uint64_t bytes);

// The modes.
void run_echo(void);
void run_send(void);
void run_connect(void);
void run_idle(void);
void run_udp(void);
