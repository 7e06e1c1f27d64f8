/* One end of the race by c-toxcore: tox tox|tox5 ROLE ADDRESS TASK, where `tox` waits between turns as long as the library
 * wants and `tox5` five milliseconds at most. What the tasks are, and what counts as a link that is up, say src/line.rs and
 * src/work.rs. It meets the other end alone: no local discovery, no relays. */
#define _GNU_SOURCE
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <tox/tox.h>

enum { MESSAGE = 100, UNIT = 1372, LOSSLESS = 160, MOST = 64, LINE = 1 << 16 };

/* A node, and what came from its friends. A file is counted from the first byte on. */
typedef struct {
    Tox *tox;
    bool heard[MOST];
    size_t bytes;
    double first_ms;
    bool echoes;
} Node;

static bool offers, five, echoing;
static const char *address;
/* The offering end has one node for all its links, the answering end one for each. */
static Node nodes[MOST];
static int count;
static bool over;
static char lines[LINE];
static size_t held;

static double now_ms(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return now.tv_sec * 1e3 + now.tv_nsec / 1e6;
}

static void fail(const char *why) {
    fprintf(stderr, "tox: %s\n", why);
    exit(1);
}

static void send_to(Node *node, uint32_t friend, size_t length) {
    uint8_t bytes[UNIT];
    memset(bytes, LOSSLESS, sizeof bytes);
    tox_friend_send_lossless_packet(node->tox, friend, bytes, length, NULL);
}

static void came(Tox *tox, uint32_t friend, const uint8_t *bytes, size_t length, void *data) {
    Node *node = data;
    (void)tox, (void)bytes;
    if (!node->heard[friend]) {
        node->heard[friend] = true;
        return;
    }
    if (node->bytes == 0) node->first_ms = now_ms(CLOCK_MONOTONIC);
    node->bytes += length;
    if (node->echoes) send_to(node, friend, length);
}

static void connected(Tox *tox, uint32_t friend, Tox_Connection how, void *data) {
    (void)tox;
    if (how != TOX_CONNECTION_NONE) send_to(data, friend, 1);
}

/* Reads what there is of input, as much as fits. */
static void listen_in(int wait_ms) {
    struct pollfd in = {.fd = STDIN_FILENO, .events = POLLIN};
    if (poll(&in, 1, wait_ms) < 1) return;
    ssize_t got = read(STDIN_FILENO, lines + held, LINE - 1 - held);
    if (got <= 0) exit(0);
    held += (size_t)got;
    lines[held] = 0;
}

/* Gives every node its turn, then waits for the next. */
static void turn(void) {
    uint32_t wait_ms = 50;
    for (int each = 0; each < count; each++) {
        tox_iterate(nodes[each].tox, &nodes[each]);
        uint32_t wants_ms = tox_iteration_interval(nodes[each].tox);
        if (wants_ms < wait_ms) wait_ms = wants_ms;
    }
    listen_in((int)(five && wait_ms > 5 ? 5 : wait_ms));
}

/* Takes the next line, turning until there is one. */
static char *next_line(void) {
    static char line[LINE];
    char *end;
    while (!(end = memchr(lines, '\n', held))) {
        if (count) turn();
        else listen_in(-1);
    }
    size_t length = (size_t)(end - lines) + 1;
    memcpy(line, lines, length);
    line[length - 1] = 0;
    held -= length;
    memmove(lines, lines + length, held + 1);
    return line;
}

/* Whether the race said that it is over. */
static bool ended(void) {
    if (!over && memchr(lines, '\n', held)) over = strstr(next_line(), "over") != NULL;
    return over;
}

/* Goes on when the other end is as far; gives the number that the race added, or none. */
static int meet(const char *found) {
    printf("{\"at\":%s}\n", found);
    char *line = strstr(next_line(), "\"go\":");
    if (!line) fail("expected to go on");
    return atoi(line + strlen("\"go\":"));
}

static Node *open_node(void) {
    struct Tox_Options *options = tox_options_new(NULL);
    tox_options_set_local_discovery_enabled(options, false);
    tox_options_set_ipv6_enabled(options, false);
    Node *node = &nodes[count];
    memset(node, 0, sizeof *node);
    node->tox = tox_new(options, NULL);
    tox_options_free(options);
    if (!node->tox) fail("no node");
    tox_callback_friend_lossless_packet(node->tox, came);
    tox_callback_friend_connection_status(node->tox, connected);
    count++;
    return node;
}

static void hex(char *out, const uint8_t *key) {
    for (int byte = 0; byte < TOX_PUBLIC_KEY_SIZE; byte++) sprintf(out + 2 * byte, "%02x", key[byte]);
}

static void unhex(uint8_t *key, const char *line, const char *name) {
    const char *text = strstr(line, name);
    if (!text) fail("no key");
    text += strlen(name);
    for (int byte = 0; byte < TOX_PUBLIC_KEY_SIZE; byte++) sscanf(text + 2 * byte, "%2hhx", &key[byte]);
}

/* Brings a link up on a node of its own or, where several are held, on the one there is. */
static Node *up(uint32_t *friend) {
    Node *node = offers && count ? &nodes[0] : open_node();
    uint8_t id[TOX_PUBLIC_KEY_SIZE], dht[TOX_PUBLIC_KEY_SIZE];
    char id_hex[2 * TOX_PUBLIC_KEY_SIZE + 1], dht_hex[2 * TOX_PUBLIC_KEY_SIZE + 1], found[128];
    tox_self_get_public_key(node->tox, id);
    tox_self_get_dht_id(node->tox, dht);
    hex(id_hex, id), hex(dht_hex, dht);
    unsigned port = tox_self_get_udp_port(node->tox, NULL);
    printf("{\"s\":{\"id\":\"%s\",\"dht\":\"%s\",\"host\":\"%s\",\"port\":%u}}\n", id_hex, dht_hex, address, port);
    const char *theirs = next_line(), *at = strstr(theirs, "\"host\":\""), *where = strstr(theirs, "\"port\":");
    char host[64];
    if (!at || !where || sscanf(at, "\"host\":\"%63[^\"]", host) != 1) fail("no address");
    port = (unsigned)atoi(where + strlen("\"port\":"));
    unhex(id, theirs, "\"id\":\""), unhex(dht, theirs, "\"dht\":\"");
    meet("null");
    double from = now_ms(CLOCK_MONOTONIC);
    tox_bootstrap(node->tox, host, (uint16_t)port, dht, NULL);
    *friend = tox_friend_add_norequest(node->tox, id, NULL);
    if (*friend >= MOST) fail("no friend");
    while (!node->heard[*friend]) turn();
    snprintf(found, sizeof found, "{\"from\":%f,\"until\":%f}", from, now_ms(CLOCK_MONOTONIC));
    /* What follows may be there before it is expected. */
    node->bytes = 0;
    node->echoes = !offers && echoing;
    meet(found);
    return node;
}

static void close_all(void) {
    while (count) tox_kill(nodes[--count].tox);
}

static void pour(Node *node, uint32_t friend) {
    double used = now_ms(CLOCK_PROCESS_CPUTIME_ID);
    uint8_t bytes[UNIT];
    memset(bytes, LOSSLESS, sizeof bytes);
    while (!ended()) {
        while (tox_friend_send_lossless_packet(node->tox, friend, bytes, sizeof bytes, NULL)) {}
        turn();
    }
    printf("{\"cpu\":%f}\n", (now_ms(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e3);
}

static void take(Node *node, double bytes, double seconds) {
    double used = now_ms(CLOCK_PROCESS_CPUTIME_ID), took = 0;
    while (node->bytes < bytes && took < seconds) {
        turn();
        if (node->bytes) took = (now_ms(CLOCK_MONOTONIC) - node->first_ms) / 1e3;
    }
    used = (now_ms(CLOCK_PROCESS_CPUTIME_ID) - used) / 1e3;
    printf("{\"bytes\":%zu,\"seconds\":%f,\"cpu\":%f}\n", node->bytes, took, used);
    while (!ended()) turn();
}

static void ask(Node *node, uint32_t friend, int times, double seconds) {
    double began = now_ms(CLOCK_MONOTONIC);
    printf("{\"trips_ms\":[");
    for (int trip = 0; trip < times && now_ms(CLOCK_MONOTONIC) - began < seconds * 1e3; trip++) {
        double sent = now_ms(CLOCK_MONOTONIC);
        node->bytes = 0;
        send_to(node, friend, MESSAGE);
        while (node->bytes < MESSAGE) turn();
        printf("%s%f", trip ? "," : "", now_ms(CLOCK_MONOTONIC) - sent);
    }
    printf("]}\n");
    while (!ended()) turn();
}

static void echo(void) {
    while (!ended()) turn();
    printf("{}\n");
}

static void hold(void) {
    uint32_t friend;
    up(&friend);
    int more = meet("{\"held\":1}");
    for (int each = 0; each < more; each++) up(&friend);
    meet("{\"held\":0}");
    while (!ended()) turn();
}

int main(int words, char **word) {
    if (words < 5) fail("no task");
    setvbuf(stdout, NULL, _IOLBF, 1 << 20);
    five = !strcmp(word[1], "tox5");
    offers = !strcmp(word[2], "offer");
    address = word[3];
    const char *task = word[4];
    echoing = !strcmp(task, "trips");
    double first = words > 5 ? atof(word[5]) : 0, second = words > 6 ? atof(word[6]) : 0;
    uint32_t friend;
    if (!strcmp(task, "up")) {
        for (int times = 0; times < (int)first; times++) up(&friend), close_all();
        while (!ended()) listen_in(-1);
    } else if (!strcmp(task, "hold")) {
        hold();
    } else {
        Node *node = up(&friend);
        if (!strcmp(task, "file") && offers) pour(node, friend);
        else if (!strcmp(task, "file")) take(node, first, second);
        else if (offers) ask(node, friend, (int)first, second);
        else echo();
    }
    close_all();
    return 0;
}
