/* Tells from inside a new network whether the host can be reached there; fails closed.

   Silence alone proves nothing: an interface that has just come up answers nothing for a while. So the probe waits for
   a word of the bridge itself, a multicast report that the host rule has signed: that shows that the rule stands on
   this bridge and that we hear it. From then on a host without the rule's input line would answer our queries at once,
   and its silence counts. The port, by which the host takes in what a bridge does not (frames.c), is asked as well: it
   announces nothing by which its silence would count, but an answer of its counts.

   Output: a progress line, a verdict line, an end line, as JSON. The end line comes from the process that waits for
   the one that judges, and holds its exit code: so whoever reads it need not wait until the engine has taken the
   container apart. Exit code: 0 isolated, 1 reached, 2 inconclusive. It has to be alone in its network.

   An overlay across hosts has no bridge of the host's: overlay.c asks other questions there, with a probe on each
   other host. Each of them stays after its verdict, because the others wait for its answers. */

#include "config.h"
#include "frames.h"
#include "overlay.h"
#include "verdict.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netpacket/packet.h>
#include <net/ethernet.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* The bridge's first report comes within a second of its first container, and is repeated within the next. */
static const double FIRST_WORD_SECONDS = 4.0;
/* A host that answers does so within a few milliseconds: from the interrupt that brings the question, from a kernel
   timer of one tick (IGMP), from a kernel thread of ordinary priority (MLD). Each round puts every question again. */
static const double ROUND_SECONDS = 0.02;
/* So many rounds of silence in a row count if in each of them this process, which has an ordinary priority too, woke
   as soon as it wanted to: then the kernel's own threads and timers had their turn as well. */
enum { SILENT_ROUNDS = 5 };
static const double PUNCTUAL_SECONDS = 0.01;
/* On a machine too busy for that, silence of this length counts: a hundred times as long as an answer takes. */
static const double SILENCE_SECONDS = 0.3;

enum { MAX_FRAMES_A_ROUND = 1000, MAX_SPEAKERS = 16, MAX_NOTES = 20 };

struct probe {
    int socket;
    uint8_t mac[MAC_BYTES];
    uint8_t likely[2][4]; /* the bridge's usual gateway, and Docker's own bridge */
    uint8_t speakers[MAX_SPEAKERS][MAC_BYTES];
    int speaker_count;
    char notes[MAX_NOTES][112];
    int note_count;
    double began, signed_at; /* signed_at is 0 before the first signed word */
    bool announced;
    char reason[256];
};

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

__attribute__((format(printf, 3, 4))) static int because(struct probe *probe, int code, const char *format, ...) {
    va_list values;
    va_start(values, format);
    vsnprintf(probe->reason, sizeof probe->reason, format, values);
    va_end(values);
    return code;
}

static int broken(struct probe *probe, const char *what) {
    return because(probe, INCONCLUSIVE, "%s: %s", what, strerror(errno));
}

/* Open a packet socket on the one interface. Return 0, or the exit code. */
static int open_socket(struct probe *probe) {
    struct if_nameindex *interfaces = if_nameindex();
    if (interfaces == NULL) return broken(probe, "the probe cannot list interfaces");
    unsigned index = 0, count = 0;
    for (struct if_nameindex *each = interfaces; each->if_index != 0; each++) {
        if (strcmp(each->if_name, "lo") == 0) continue;
        index = each->if_index;
        count++;
    }
    if_freenameindex(interfaces);
    if (count != 1) return because(probe, INCONCLUSIVE, "there should be one network interface, there are %u", count);
    probe->socket = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, htons(ETH_P_ALL));
    if (probe->socket < 0 && errno == EPERM)
        return because(probe, INCONCLUSIVE,
                       "the probe may not open a packet socket; it needs root with the capability NET_RAW");
    if (probe->socket < 0) return broken(probe, "the probe cannot open a packet socket");
    struct sockaddr_ll own = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)index};
    socklen_t length = sizeof own;
    if (bind(probe->socket, (struct sockaddr *)&own, sizeof own) != 0 ||
        getsockname(probe->socket, (struct sockaddr *)&own, &length) != 0)
        return broken(probe, "the probe cannot use its interface");
    if (own.sll_halen != MAC_BYTES) return because(probe, INCONCLUSIVE, "the interface has no MAC address");
    memcpy(probe->mac, own.sll_addr, MAC_BYTES);
    return 0;
}

static bool send_frame(const struct probe *probe, struct frame frame) {
    return send(probe->socket, frame.bytes, frame.length, 0) == (ssize_t)frame.length;
}

static bool ask(const struct probe *probe) {
    for (int i = 0; i < 2; i++) {
        if (!send_frame(probe, arp_probe(probe->mac, probe->likely[i]))) return false;
    }
    struct frame asked_of_port[PORT_QUESTIONS];
    port_questions(probe->mac, probe->likely, asked_of_port);
    for (int i = 0; i < PORT_QUESTIONS; i++) {
        if (!send_frame(probe, asked_of_port[i])) return false;
    }
    for (int i = 0; i < probe->speaker_count; i++) {
        struct frame asked[QUESTIONS];
        questions(probe->mac, probe->speakers[i], asked);
        for (int j = 0; j < QUESTIONS; j++) {
            if (!send_frame(probe, asked[j])) return false;
        }
    }
    return true;
}

/* Whether this speaker is new; a new one is asked from the next round on. Return -1 for one too many. */
static int add_speaker(struct probe *probe, const uint8_t mac[MAC_BYTES]) {
    for (int i = 0; i < probe->speaker_count; i++) {
        if (memcmp(probe->speakers[i], mac, MAC_BYTES) == 0) return 0;
    }
    if (probe->speaker_count == MAX_SPEAKERS) return -1;
    memcpy(probe->speakers[probe->speaker_count++], mac, MAC_BYTES);
    return 1;
}

/* Hear what matters until then, and at least all that has come already. Return -1, or the exit code. */
static int listen_until(struct probe *probe, double until, bool *new_speaker) {
    uint8_t bytes[MAX_FRAME_BYTES];
    for (int count = 0; count < MAX_FRAMES_A_ROUND; count++) {
        double left = until - now();
        struct timespec patience = {.tv_nsec = left > 0 ? (long)(left * 1e9) : 0};
        struct pollfd waiting = {.fd = probe->socket, .events = POLLIN};
        if (ppoll(&waiting, 1, &patience, NULL) == 0) return -1;
        struct sockaddr_ll origin = {0};
        socklen_t origin_length = sizeof origin;
        ssize_t length = recvfrom(probe->socket, bytes, sizeof bytes, MSG_DONTWAIT, (struct sockaddr *)&origin,
                                  &origin_length);
        if (length < 0 && (errno == EAGAIN || errno == EINTR)) continue;
        if (length < 0) return broken(probe, "the probe broke off");
        bool is_ours = length >= 12 && memcmp(bytes + MAC_BYTES, probe->mac, MAC_BYTES) == 0;
        if (origin.sll_pkttype == PACKET_OUTGOING || is_ours) continue;
        struct heard heard = meaning(bytes, (size_t)length, probe->mac);
        if (heard.role == NOTHING) continue;
        if (probe->note_count < MAX_NOTES)
            snprintf(probe->notes[probe->note_count++], sizeof probe->notes[0], "%s after %.3f s", heard.what,
                     now() - probe->began);
        if (heard.role == ANSWER) return because(probe, REACHED, "the host answers: %s", heard.what);
        int added = add_speaker(probe, bytes + MAC_BYTES);
        if (added < 0) return because(probe, INCONCLUSIVE, "more than %d speakers in a new network", MAX_SPEAKERS);
        *new_speaker |= added > 0;
        probe->announced = true;
        if (heard.role == SIGNED && probe->signed_at == 0) probe->signed_at = now();
    }
    return because(probe, INCONCLUSIVE, "more than %d frames in %.2f s; it has to be alone in its network",
                   MAX_FRAMES_A_ROUND, ROUND_SECONDS);
}

static int run(struct probe *probe) {
    double begin = probe->began = now();
    int silent_rounds = 0;
    /* The round that begins last ends after the deadline, so what came before it is read. */
    while (silent_rounds < SILENT_ROUNDS &&
           begin < (probe->signed_at ? probe->signed_at + SILENCE_SECONDS : probe->began + FIRST_WORD_SECONDS)) {
        bool was_signed = probe->signed_at != 0, new_speaker = false;
        if (!ask(probe)) return broken(probe, "the probe cannot send");
        int code = listen_until(probe, begin + ROUND_SECONDS, &new_speaker);
        if (code >= 0) return code;
        double end = now();
        bool counts = was_signed && !new_speaker && end - begin < ROUND_SECONDS + PUNCTUAL_SECONDS;
        silent_rounds = counts ? silent_rounds + 1 : 0;
        begin = end;
    }
    if (probe->signed_at)
        return because(probe, ISOLATED, "the bridge carries the host rule, and the host answers nothing");
    if (probe->announced)
        return because(probe, INCONCLUSIVE,
                       "no report of the bridge carries the host rule's signature: the rule is missing, incomplete or "
                       "of an earlier release, or multicast snooping and IPv6 are both off on the bridge");
    return because(probe, INCONCLUSIVE,
                   "nothing was heard of the host for %.0f s, so its silence proves nothing: multicast snooping and "
                   "IPv6 are both off on the bridge, or the rule is out of date",
                   FIRST_WORD_SECONDS);
}

/* Print the verdict. No text in it comes from a frame or from the configuration, so nothing has to be escaped. */
static void tell(const struct probe *probe, int code) {
    printf("{\"type\": \"verdict\", \"isolated\": %s, \"reason\": \"%s\", \"evidence\": [",
           code == ISOLATED ? "true" : code == REACHED ? "false" : "null", probe->reason);
    for (int i = 0; i < probe->note_count; i++) printf("%s\"%s\"", i ? ", " : "", probe->notes[i]);
    printf("]}\n");
}

static int judge(void) {
    static struct probe probe;
    static struct config config;
    const char *fault = read_config(getenv("DISCOVERY_CONFIG"), &config);
    memcpy(probe.likely[0], config.first_host, sizeof probe.likely[0]);
    inet_pton(AF_INET, "172.17.0.1", probe.likely[1]);
    int code = fault ? because(&probe, INCONCLUSIVE, "%s", fault) : 0;
    if (code == 0 && config.peer_count > 0) {
        code = judge_overlay(&config, probe.reason, sizeof probe.reason);
    } else {
        if (code == 0) code = open_socket(&probe);
        if (code == 0) code = run(&probe);
    }
    tell(&probe, code);
    return fflush(stdout) == 0 ? code : INCONCLUSIVE;
}

/* How long a probe of an overlay answers the others after its own verdict; it is removed long before. */
enum { LINGER_SECONDS = 120 };

static bool is_of_overlay(void) {
    static struct config config;
    return read_config(getenv("DISCOVERY_CONFIG"), &config) == NULL && config.peer_count > 0;
}

int main(void) {
    printf("{\"type\": \"progress\", \"done\": 0, \"total\": 1, \"message\": \"asking whether the host answers\"}\n");
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) exit(judge());
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return INCONCLUSIVE;
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    printf("{\"type\": \"end\", \"discoveries\": 0, \"exit_code\": %d}\n", code);
    if (fflush(stdout) != 0) return INCONCLUSIVE;
    if (code == ISOLATED && is_of_overlay()) sleep(LINGER_SECONDS);
    return code;
}
