#include "config.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

static const char *skip_space(const char *at) { return at + strspn(at, " \t\r\n"); }

/* Return what follows a string that begins at `at`, or NULL. */
static const char *skip_string(const char *at) {
    if (*at++ != '"') return NULL;
    for (; *at != '"'; at++) {
        if (*at == '\0' || (*at == '\\' && *++at == '\0')) return NULL;
    }
    return at + 1;
}

/* Return what follows one JSON value, or NULL. Its insides are not looked at, beyond where it ends. */
static const char *skip_value(const char *at) {
    int depth = 0;
    do {
        at = skip_space(at);
        if (*at == '"') {
            if ((at = skip_string(at)) == NULL) return NULL;
        } else if (*at == '{' || *at == '[') {
            depth++, at++;
        } else if (*at == '}' || *at == ']') {
            depth--, at++;
        } else if (depth > 0 && (*at == ',' || *at == ':')) {
            at++;
        } else {
            size_t length = strcspn(at, ",:[]{}\" \t\r\n");
            if (length == 0) return NULL;
            at += length;
        }
    } while (depth > 0);
    return at;
}

/* Return the value of a member of the outermost object, or NULL. */
static const char *member(const char *at, const char *name) {
    at = skip_space(at);
    if (*at != '{') return NULL;
    do {
        const char *key = skip_space(at + 1);
        const char *end = skip_string(key);
        if (end == NULL) return NULL;
        size_t length = (size_t)(end - key) - 2;
        end = skip_space(end);
        if (*end != ':') return NULL;
        const char *value = skip_space(end + 1);
        if (length == strlen(name) && strncmp(key + 1, name, length) == 0) return value;
        if ((at = skip_value(value)) == NULL) return NULL;
        at = skip_space(at);
    } while (*at == ',');
    return NULL;
}

/* Copy a short string. */
static bool read_text(const char *value, char text[32]) {
    const char *end = *value == '"' ? skip_string(value) : NULL;
    if (end == NULL || (size_t)(end - value) - 2 >= 32) return false;
    memset(text, 0, 32);
    memcpy(text, value + 1, (size_t)(end - value) - 2);
    return true;
}

static bool read_network(const char *value, struct config *config) {
    char text[32];
    if (!read_text(value, text)) return false;
    char *slash = strchr(text, '/'), *rest = NULL;
    if (slash == NULL || slash[1] < '0' || slash[1] > '9') return false;
    *slash = '\0';
    unsigned long prefix = strtoul(slash + 1, &rest, 10);
    struct in_addr network;
    if (*rest != '\0' || prefix < 1 || prefix > 30 || inet_pton(AF_INET, text, &network) != 1) return false;
    uint32_t number = ntohl(network.s_addr);
    if (number & (0xffffffffu >> prefix)) return false;
    number = htonl(number + 1);
    memcpy(config->first_host, &number, 4);
    config->size = 1u << (32 - prefix);
    return true;
}

static bool read_address(const char *value, uint8_t address[4]) {
    char text[32];
    return read_text(value, text) && inet_pton(AF_INET, text, address) == 1;
}

static bool read_peers(const char *at, struct config *config) {
    if (*at++ != '[') return false;
    for (at = skip_space(at); *at != ']'; at = skip_space(at)) {
        if (config->peer_count == MAX_PEERS || !read_address(at, config->peers[config->peer_count++])) return false;
        at = skip_space(skip_string(at));
        if (*at == ',') at = skip_space(at + 1);
        else if (*at != ']') return false;
    }
    return config->peer_count > 0;
}

const char *read_config(const char *json, struct config *config) {
    memset(config, 0, sizeof *config);
    if (json == NULL) return "the variable DISCOVERY_CONFIG is missing";
    const char *version = member(json, "version"), *cidr = member(json, "cidr");
    if (version == NULL || cidr == NULL) return "DISCOVERY_CONFIG has no version, no cidr or is no JSON object";
    if (version[0] != '1' || strchr(",} \t\r\n", version[1]) == NULL)
        return "DISCOVERY_CONFIG has another version; this probe knows version 1";
    if (!read_network(cidr, config)) return "the cidr in DISCOVERY_CONFIG is no IPv4 network of /1 to /30";
    const char *peers = member(json, "peers"), *own = member(json, "self");
    if (peers == NULL) return NULL;
    if (!read_peers(peers, config)) return "the peers in DISCOVERY_CONFIG are no list of 1 to 32 IPv4 addresses";
    if (own == NULL || !read_address(own, config->own)) return "DISCOVERY_CONFIG has peers and no address of its own";
    return NULL;
}
