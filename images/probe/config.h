/* What the probe reads of its configuration, the collectors' JSON in one environment variable. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdint.h>

enum { MAX_PEERS = 32 };

struct config {
    uint8_t first_host[4];
    uint32_t size; /* of the network, in addresses */
    uint8_t own[4];
    uint8_t peers[MAX_PEERS][4]; /* on the other hosts of an overlay: probes, targets */
    int peer_count;              /* 0 on a bridge */
};

/* Read what is needed; return NULL, or why that is impossible. */
const char *read_config(const char *json, struct config *config);

#endif
