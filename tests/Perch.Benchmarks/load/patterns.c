// What is sent: noise whose period is a prime, so that a byte that is lost, doubled or another connection's is seen.
#include "load.h"

static char noise[PERIOD + MOST_BYTES];

void make_pattern(void) {
    uint32_t state = 12345;
    for (int i = 0; i < PERIOD; i++) {
        state = state * 1664525 + 1013904223;
        noise[i] = (char)(state >> 24);
    }
    for (int i = PERIOD; i < PERIOD + MOST_BYTES; i++) noise[i] = noise[i - PERIOD];
}

const char *pattern(const struct peer *peer, uint64_t position) { return noise + (peer->offset + position) % PERIOD; }

void check(const struct peer *peer, ssize_t length) {
    if (peer->received + length > peer->sent) fail("the server sent more than it got");
    if (memcmp(received, pattern(peer, peer->received), length)) fail("the server sent other bytes back");
}
