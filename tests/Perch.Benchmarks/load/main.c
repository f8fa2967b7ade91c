// load MODE -p PORT [options]: prints one line of JSON. The comparison compiles and starts it.
#include "load.h"
#include <errno.h>
#include <time.h>

struct options options = {.connections = 50, .bytes = 64, .depth = 1, .seconds = 3, .warmup = 0.5};
struct epoll_event events[EVENTS];
char received[MOST_BYTES];
struct peer *peers;
int epoll;

static const struct {
    const char *name;
    void (*run)(void);
} modes[] = {{"echo", run_echo}, {"send", run_send}, {"connect", run_connect}, {"idle", run_idle}, {"udp", run_udp}};

void fail(const char *what) {
    fprintf(stderr, "%s\n", what);
    exit(1);
}

void fail_call(const char *what) {
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(1);
}

uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void usage(void) {
    fputs("load echo|send|connect|idle|udp -p PORT [-c CONNECTIONS] [-b BYTES] [-d DEPTH] [-f FIREHOSES among them]\n"
          "     [-r MESSAGES A SECOND, over all] [-a FIRST ADDRESS] [-s SERVER'S PID] [-t SECONDS] [-w SECONDS OF WARM-UP]\n",
          stderr);
    exit(2);
}

int main(int count, char **arguments) {
    for (int option; (option = getopt(count, arguments, "p:c:b:d:f:r:a:s:t:w:")) != -1;) {
        switch (option) {
        case 'p': options.port = atoi(optarg); break;
        case 'c': options.connections = atoi(optarg); break;
        case 'b': options.bytes = atoi(optarg); break;
        case 'd': options.depth = atoi(optarg); break;
        case 'f': options.firehoses = atoi(optarg); break;
        case 'r': options.rate = atof(optarg); break;
        case 'a': options.first_address = atoi(optarg); break;
        case 's': options.server = atoi(optarg); break;
        case 't': options.seconds = atof(optarg); break;
        case 'w': options.warmup = atof(optarg); break;
        default: usage();
        }
    }
    if (optind != count - 1 || options.connections < 1 || options.depth < 1 || options.bytes < 1 || options.bytes > MOST_BYTES) usage();
    options.mode = arguments[optind];
    allow_descriptors(options.connections);
    make_pattern();
    peers = calloc(options.connections, sizeof *peers);
    epoll = epoll_create1(0);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        if (strcmp(options.mode, modes[i].name)) continue;
        modes[i].run();
        return 0;
    }
    usage();
}
