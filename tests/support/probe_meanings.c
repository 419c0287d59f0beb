/* For tests: what the probe makes of frames, or of configurations, read from standard input. */
#ifdef OVERLAY
#include "overlay.c"
#endif
#include "config.h"
#include "frames.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifndef CONFIGS
static size_t from_hex(const char *text, uint8_t *bytes) {
    size_t length = 0;
    for (; text[0] && text[1] && sscanf(text, "%2hhx", &bytes[length]) == 1; text += 2) length++;
    return length;
}

#ifdef OVERLAY
/* Each frame comes to a probe with this `mac`, to which nobody has said anything yet. */
static void print_heard(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]) {
    static const struct config config = {.own = {10, 213, 0, 28}, .peers = {{10, 213, 0, 27}}, .peer_count = 1};
    char reason[256] = "";
    struct overlay overlay = {.config = &config, .reason = reason, .size = sizeof reason};
    memcpy(overlay.mac, mac, MAC_BYTES);
    int code = hear(&overlay, frame, length);
    printf("%d|%s|%d|%d\n", code, reason, overlay.answered[0], overlay.speaker_count);
}
#else
static void print_heard(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]) {
    static const char *const roles[] = {"nothing", "answer", "signed", "announcement"};
    struct heard heard = meaning(frame, length, mac);
    printf("%s|%s\n", roles[heard.role], heard.what);
}
#endif

static void print_frame(struct frame frame) {
    for (size_t i = 0; i < frame.length; i++) printf("%02x", frame.bytes[i]);
    printf("\n");
}

int main(void) {
    static char line[2 * MAX_FRAME_BYTES + 64], word[8], first[16], second[2 * MAX_FRAME_BYTES + 1];
    while (fgets(line, sizeof line, stdin)) {
        second[0] = '\0';
        if (sscanf(line, "%7s %12s %4096s", word, first, second) < 2) return 1;
        uint8_t mac[MAC_BYTES], bytes[MAX_FRAME_BYTES];
        from_hex(first, mac);
        size_t length = from_hex(second, bytes);
        if (strcmp(word, "ask") == 0) {
            struct frame asked[QUESTIONS];
            questions(mac, bytes, asked);
            for (int i = 0; i < QUESTIONS; i++) print_frame(asked[i]);
            print_frame(arp_probe(mac, bytes));
            const uint8_t likely[2][4] = {{bytes[0], bytes[1], bytes[2], bytes[3]}, {172, 17, 0, 1}};
            struct frame asked_of_port[PORT_QUESTIONS];
            port_questions(mac, likely, asked_of_port);
            for (int i = 0; i < PORT_QUESTIONS; i++) print_frame(asked_of_port[i]);
            continue;
        }
        /* Exactly as large as the frame, so that one byte too many is seen. */
        uint8_t *frame = malloc(length ? length : 1);
        memcpy(frame, bytes, length);
        print_heard(frame, length, mac);
        free(frame);
    }
    return 0;
}
#else
int main(void) {
    char *json = NULL;
    size_t room = 0;
    ssize_t length;
    while ((length = getdelim(&json, &room, '\0', stdin)) > 0) {
        char *exact = strdup(json);
        struct config config;
        const char *fault = read_config(exact, &config);
        free(exact);
        if (fault) printf("%s\n", fault);
        else {
            const uint8_t *first = config.first_host;
            printf("%d.%d.%d.%d %u", first[0], first[1], first[2], first[3], config.size);
            const uint8_t *own = config.own;
            if (config.peer_count) printf(" %d.%d.%d.%d", own[0], own[1], own[2], own[3]);
            for (int i = 0; i < config.peer_count; i++) {
                const uint8_t *peer = config.peers[i];
                printf(" %d.%d.%d.%d", peer[0], peer[1], peer[2], peer[3]);
            }
            printf("\n");
        }
    }
    free(json);
    return 0;
}
#endif
