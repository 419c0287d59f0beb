#include "overlay.h"
#include "frames.h"
#include "verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* An engine that meets an overlay for the first time learns of the others by gossip, within a few seconds. */
static const double CROSSING_SECONDS = 15.0;
static const double ROUND_SECONDS = 0.05;
/* After the last of the other hosts has answered, a host that could answer has had as many occasions. */
enum { SILENT_ROUNDS = 6, SWEEP_EVERY = 10, MAX_SPEAKERS = 64, MAX_FRAMES_A_ROUND = 1000 };
enum { ETHERNET = 14, IP = 20, ICMP = 16, ICMP_ECHO = 8, ICMP_ANSWER = 0, ARP_ANSWER = 2 };

/* Addresses that a host has: Docker's own bridges. Those of the hosts' network are in no container's configuration. */
static const uint8_t LIKELY[][4] = {{172, 17, 0, 1}, {172, 18, 0, 1}, {172, 19, 0, 1}};
enum { LIKELY_COUNT = sizeof LIKELY / sizeof LIKELY[0] };

struct overlay {
    const struct config *config;
    int packets, echoes;
    uint8_t mac[MAC_BYTES];
    uint8_t speakers[MAX_SPEAKERS][MAC_BYTES];
    int speaker_count;
    bool answered[MAX_PEERS];
    char *reason;
    size_t size;
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((format(printf, 3, 4))) static int because(struct overlay *overlay, int code, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(overlay->reason, overlay->size, format, values);
    va_end(values);
    return code;
}

static unsigned checksum(const uint8_t *data, size_t length) {
    unsigned long sum = 0;
    for (size_t i = 0; i + 1 < length; i += 2) sum += (unsigned)data[i] << 8 | data[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static void echo_request(uint8_t icmp[ICMP]) {
    const uint8_t made[ICMP] = {ICMP_ECHO, 0, 0, 0, 0xd2, 0x4e, 0, 1, 'd', 'r', 'y', '-', 'r', 'u', 'n', '.'};
    memcpy(icmp, made, ICMP);
    unsigned sum = checksum(icmp, ICMP);
    icmp[2] = sum >> 8 & 0xff, icmp[3] = sum & 0xff;
}

static bool is_ours(const uint8_t *icmp) { return icmp[4] == 0xd2 && icmp[5] == 0x4e; }

/* A second interface is the engine's way out: it gives one to containers on overlays that are not internal. */
static int check_ways_out(struct overlay *overlay, unsigned *index) {
    struct if_nameindex *interfaces = if_nameindex();
    if (interfaces == NULL) return because(overlay, INCONCLUSIVE, "the probe cannot list interfaces");
    unsigned count = 0;
    for (struct if_nameindex *each = interfaces; each->if_index != 0; each++) {
        if (strcmp(each->if_name, "lo") == 0) continue;
        *index = each->if_index;
        count++;
    }
    if_freenameindex(interfaces);
    if (count == 0) return because(overlay, INCONCLUSIVE, "there is no network interface");
    if (count > 1) return because(overlay, REACHED, "there are %u network interfaces: one leads out", count);
    FILE *routes = fopen("/proc/net/route", "r");
    if (routes == NULL) return because(overlay, INCONCLUSIVE, "the probe cannot read its routes");
    char line[256], name[32], destination[16];
    int code = -1;
    while (code < 0 && fgets(line, sizeof line, routes) != NULL) {
        if (sscanf(line, "%31s %15s", name, destination) == 2 && strcmp(destination, "00000000") == 0)
            code = because(overlay, REACHED, "there is a default route");
    }
    fclose(routes);
    return code;
}

static int open_sockets(struct overlay *overlay, unsigned index) {
    overlay->packets = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    overlay->echoes = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_ICMP);
    if (overlay->packets < 0 || overlay->echoes < 0)
        return because(overlay, INCONCLUSIVE, "the probe may not open a packet socket: %s", strerror(errno));
    struct sockaddr_ll own = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    socklen_t length = sizeof own;
    if (bind(overlay->packets, (struct sockaddr *)&own, sizeof own) != 0 ||
        getsockname(overlay->packets, (struct sockaddr *)&own, &length) != 0 || own.sll_halen != MAC_BYTES)
        return because(overlay, INCONCLUSIVE, "the probe cannot use its interface");
    memcpy(overlay->mac, own.sll_addr, MAC_BYTES);
    return -1;
}

/* A ping that needs no route: to `address`, through whoever has `mac`. */
static void ping_through(const struct overlay *overlay, const uint8_t mac[MAC_BYTES], const uint8_t address[4]) {
    uint8_t frame[ETHERNET + IP + ICMP] = {0};
    memcpy(frame, mac, MAC_BYTES);
    memcpy(frame + MAC_BYTES, overlay->mac, MAC_BYTES);
    frame[12] = 0x08;
    uint8_t *header = frame + ETHERNET;
    header[0] = 0x45, header[3] = IP + ICMP, header[8] = 64, header[9] = IPPROTO_ICMP;
    memcpy(header + 12, overlay->config->own, 4);
    memcpy(header + 16, address, 4);
    unsigned sum = checksum(header, IP);
    header[10] = sum >> 8 & 0xff, header[11] = sum & 0xff;
    echo_request(header + IP);
    (void)send(overlay->packets, frame, sizeof frame, 0);
}

static void ask(const struct overlay *overlay, bool sweeps) {
    static const uint8_t EVERYBODY[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const struct config *config = overlay->config;
    for (int i = 0; i < config->peer_count; i++) {
        if (overlay->answered[i]) continue;
        struct sockaddr_in peer = {.sin_family = AF_INET};
        memcpy(&peer.sin_addr, config->peers[i], 4);
        uint8_t icmp[ICMP];
        echo_request(icmp);
        (void)sendto(overlay->echoes, icmp, sizeof icmp, 0, (struct sockaddr *)&peer, sizeof peer);
    }
    for (int i = 0; i < LIKELY_COUNT; i++) {
        struct frame asked = arp_probe(overlay->mac, LIKELY[i]);
        (void)send(overlay->packets, asked.bytes, asked.length, 0);
        ping_through(overlay, EVERYBODY, LIKELY[i]);
        for (int j = 0; j < overlay->speaker_count; j++) ping_through(overlay, overlay->speakers[j], LIKELY[i]);
    }
    if (!sweeps) return;
    /* The engines' own half of the subnet, which follows ours: who is there may lead further. */
    uint32_t first = (uint32_t)config->first_host[0] << 24 | (uint32_t)config->first_host[1] << 16 |
                     (uint32_t)config->first_host[2] << 8 | config->first_host[3];
    for (uint32_t i = 0; i < config->size && i < MAX_SPEAKERS; i++) {
        uint32_t number = htonl(first - 1 + config->size + i);
        uint8_t address[4];
        memcpy(address, &number, 4);
        struct frame asked = arp_probe(overlay->mac, address);
        (void)send(overlay->packets, asked.bytes, asked.length, 0);
    }
}

static int peer_at(const struct overlay *overlay, const uint8_t address[4]) {
    for (int i = 0; i < overlay->config->peer_count; i++) {
        if (memcmp(overlay->config->peers[i], address, 4) == 0) return i;
    }
    return -1;
}

static bool is_likely(const uint8_t address[4]) {
    for (int i = 0; i < LIKELY_COUNT; i++) {
        if (memcmp(LIKELY[i], address, 4) == 0) return true;
    }
    return false;
}

static void add_speaker(struct overlay *overlay, const uint8_t mac[MAC_BYTES]) {
    for (int i = 0; i < overlay->speaker_count; i++) {
        if (memcmp(overlay->speakers[i], mac, MAC_BYTES) == 0) return;
    }
    if (overlay->speaker_count < MAX_SPEAKERS) memcpy(overlay->speakers[overlay->speaker_count++], mac, MAC_BYTES);
}

/* Return -1, or the exit code. Hostile input: nothing is read beyond `length`. */
static int hear(struct overlay *overlay, const uint8_t *frame, size_t length) {
    if (length < ETHERNET || memcmp(frame + MAC_BYTES, overlay->mac, MAC_BYTES) == 0) return -1;
    unsigned type = (unsigned)frame[12] << 8 | frame[13];
    if (type == ETH_P_ARP && length >= ETHERNET + 28 && frame[21] == ARP_ANSWER) {
        if (is_likely(frame + 28)) return because(overlay, REACHED, "a host answers ARP");
        if (peer_at(overlay, frame + 28) < 0) add_speaker(overlay, frame + 22);
        return -1;
    }
    if (type != ETH_P_IP || length < ETHERNET + IP || frame[ETHERNET + 9] != IPPROTO_ICMP) return -1;
    size_t start = ETHERNET + (frame[ETHERNET] & 15u) * 4;
    if (length < start + 8 || frame[start] != ICMP_ANSWER || !is_ours(frame + start)) return -1;
    int peer = peer_at(overlay, frame + ETHERNET + 12);
    if (peer < 0) {
        char shown[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, frame + ETHERNET + 12, shown, sizeof shown);
        return because(overlay, REACHED, "a host answers: a ping, from %s", shown);
    }
    /* A switch may send us what is for others. */
    if (memcmp(frame + ETHERNET + 16, overlay->config->own, 4) == 0) overlay->answered[peer] = true;
    return -1;
}

static int listen_until(struct overlay *overlay, double until) {
    uint8_t bytes[MAX_FRAME_BYTES];
    for (int count = 0; count < MAX_FRAMES_A_ROUND; count++) {
        double left = until - now();
        struct timespec patience = {.tv_nsec = left > 0 ? (long)(left * 1e9) : 0};
        struct pollfd waiting = {.fd = overlay->packets, .events = POLLIN};
        if (ppoll(&waiting, 1, &patience, NULL) == 0) return -1;
        ssize_t length = recv(overlay->packets, bytes, sizeof bytes, MSG_DONTWAIT);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (length < 0) return because(overlay, INCONCLUSIVE, "the probe broke off: %s", strerror(errno));
        int code = hear(overlay, bytes, (size_t)length);
        if (code >= 0) return code;
    }
    return because(overlay, INCONCLUSIVE, "more than %d frames in %.2f s", MAX_FRAMES_A_ROUND, ROUND_SECONDS);
}

static int silent_peer(const struct overlay *overlay) {
    for (int i = 0; i < overlay->config->peer_count; i++) {
        if (!overlay->answered[i]) return i;
    }
    return -1;
}

static int run(struct overlay *overlay) {
    double began = now();
    int silent_rounds = 0;
    for (int round = 0; silent_rounds < SILENT_ROUNDS; round++) {
        double begin = now();
        int silent = silent_peer(overlay);
        if (silent >= 0 && begin - began > CROSSING_SECONDS) {
            char shown[INET_ADDRSTRLEN];
            inet_ntop(AF_INET, overlay->config->peers[silent], shown, sizeof shown);
            return because(overlay, INCONCLUSIVE,
                           "%s, on another host, does not answer: what crosses hosts is lost (blocked, or "
                           "encrypted by an algorithm that a kernel lacks)", shown);
        }
        ask(overlay, round % SWEEP_EVERY == 0);
        int code = listen_until(overlay, begin + ROUND_SECONDS);
        if (code >= 0) return code;
        if (silent < 0) silent_rounds++;
    }
    return because(overlay, ISOLATED, "nothing leads out of the overlay, and %d other host%s answer%s",
                   overlay->config->peer_count, overlay->config->peer_count == 1 ? "" : "s",
                   overlay->config->peer_count == 1 ? "s" : "");
}

int judge_overlay(const struct config *config, char *reason, size_t size) {
    static struct overlay overlay;
    overlay.config = config;
    overlay.reason = reason;
    overlay.size = size;
    unsigned index = 0;
    int code = check_ways_out(&overlay, &index);
    if (code < 0) code = open_sockets(&overlay, index);
    return code < 0 ? run(&overlay) : code;
}
