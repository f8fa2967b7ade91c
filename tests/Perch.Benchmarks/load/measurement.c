// What is measured: messages and their times between two moments, and the server's processor time at these moments.
#include "load.h"
#include <fcntl.h>

// A power of two in 64 steps: at most 1.6 % too much.
enum { STEP_BITS = 6, STEPS = 1 << STEP_BITS, SLOTS = (64 - STEP_BITS + 1) * STEPS };

static uint64_t slots[SLOTS], timed, messages, side_bytes, begun, due;
static double spent;
static int running;

// User and system time, in seconds: fields 14 and 15 of /proc/PID/stat, counted behind the name, which may have anything in it.
static double server_time(void) {
    char path[64], text[2048];
    if (!options.server) return 0;
    snprintf(path, sizeof path, "/proc/%d/stat", options.server);
    int file = open(path, O_RDONLY);
    ssize_t length = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (length <= 0) fail("the server is gone");
    close(file);
    text[length] = 0;
    unsigned long user, system;
    if (sscanf(strrchr(text, ')') + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2) fail("/proc/PID/stat");
    return (double)(user + system) / sysconf(_SC_CLK_TCK);
}

static int slot(uint64_t value) {
    if (value < STEPS) return (int)value;
    int exponent = 63 - __builtin_clzll(value);
    return (exponent - STEP_BITS + 1) * STEPS + (int)((value >> (exponent - STEP_BITS)) & (STEPS - 1));
}

static uint64_t slot_end(int slot) {
    if (slot < STEPS) return slot;
    int exponent = slot / STEPS + STEP_BITS - 1;
    return ((uint64_t)(STEPS + slot % STEPS + 1) << (exponent - STEP_BITS)) - 1;
}

static double quantile_us(double quantile) {
    uint64_t before = 0;
    for (int i = 0; i < SLOTS; i++) {
        before += slots[i];
        if (before > quantile * timed) return slot_end(i) / 1e3;
    }
    return 0;
}

void begin_measurement(void) {
    begun = now() + (uint64_t)(options.warmup * 1e9);
    due = UINT64_MAX;
}

int measuring(void) { return running; }

int is_over(void) {
    uint64_t time = now();
    if (!running && time >= begun) {
        running = 1;
        spent = server_time();
        begun = now();
        due = begun + (uint64_t)(options.seconds * 1e9);
    }
    return time >= due;
}

void count_message(uint64_t nanoseconds) {
    if (!running) return;
    slots[slot(nanoseconds)]++;
    timed++;
    messages++;
}

void count_messages(uint64_t count) {
    if (running) messages += count;
}

void count_side_bytes(uint64_t bytes) {
    if (running) side_bytes += bytes;
}

void end_measurement(void) {
    double cpu = server_time() - spent, seconds = (now() - begun) / 1e9;
    printf("{\"messages\":%llu,\"seconds\":%.4f,\"cpu\":%.3f,\"p50\":%.1f,\"p99\":%.1f,\"sideBytes\":%llu}\n", (unsigned long long)messages, seconds, cpu,
           quantile_us(0.5), quantile_us(0.99), (unsigned long long)side_bytes);
}
