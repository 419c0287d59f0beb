#include "frames.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Traffic class that the host rule (deploy/host-rule/rule.nft) writes on the bridge's reports: DSCP 0x2a, and both ECN
   bits, which a rule without the lines for ports leaves as they were. */
enum { SIGNATURE = 0x2A << 2 | 3 };
enum { IPV4 = 0x0800, ARP = 0x0806, IPV6 = 0x86DD };
enum { HOP_BY_HOP = 0, IGMP = 2, ICMPV6 = 58 };
enum { IGMP_QUERY = 0x11, IGMPV3_REPORT = 0x22 };
enum { ECHO_REQUEST = 128, MLD_QUERY = 130, SOLICITATION = 135, MLDV2_REPORT = 143 };
/* MODE_IS_INCLUDE and MODE_IS_EXCLUDE: only a query brings them forth (RFC 3376 4.2.12, RFC 3810 5.2.12). */
enum { IS_INCLUDE = 1, IS_EXCLUDE = 2 };
/* The interface has joined a group. The report of one who leaves says nothing about a later query. */
enum { CHANGE_TO_EXCLUDE = 4 };
enum { ADDRESS_BYTES = 16, ETHERNET_BYTES = 14, IPV6_BYTES = 40 };

static const uint8_t BROADCAST[MAC_BYTES] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
/* The first of those reserved for what bridges say to each other (IEEE 802.1D) that a port takes in: of the two before,
   one is bridged and one dropped. A `group_fwd_mask` of bridge or port may have any of them bridged instead. */
static const uint8_t RESERVED[MAC_BYTES] = {0x01, 0x80, 0xc2, 0, 0, 2};
static const uint8_t ALL_NODES_MAC[MAC_BYTES] = {0x33, 0x33, 0, 0, 0, 1};
static const uint8_t ALL_NODES[ADDRESS_BYTES] = {0xff, 0x02, [15] = 1};
static const uint8_t ALL_SYSTEMS[4] = {224, 0, 0, 1};
static const uint8_t ROUTER_ALERT[8] = {ICMPV6, 0, 5, 2, 0, 0, 1, 0};

/* The address that an interface with this MAC gives itself (RFC 4291, appendix A). */
static void link_local(const uint8_t mac[MAC_BYTES], uint8_t address[ADDRESS_BYTES]) {
    const uint8_t made[ADDRESS_BYTES] = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, mac[0] ^ 2, mac[1],
                                         mac[2], 0xff, 0xfe, mac[3], mac[4], mac[5]};
    memcpy(address, made, ADDRESS_BYTES);
}

/* ---- what is sent ---- */

static void put(struct frame *to, const void *bytes, size_t length) {
    if (length > sizeof to->bytes - to->length) __builtin_trap();
    memcpy(to->bytes + to->length, bytes, length);
    to->length += length;
}

static void put16(struct frame *to, unsigned value) {
    const uint8_t bytes[2] = {value >> 8 & 0xff, value & 0xff};
    put(to, bytes, 2);
}

static struct frame ethernet(const uint8_t to[MAC_BYTES], const uint8_t from[MAC_BYTES], unsigned type) {
    struct frame made = {.length = 0};
    put(&made, to, MAC_BYTES);
    put(&made, from, MAC_BYTES);
    put16(&made, type);
    return made;
}

/* The Internet checksum (RFC 1071) of an even number of bytes, continued from `sum`. */
static unsigned checksum(const uint8_t *data, size_t length, unsigned long sum) {
    for (size_t i = 0; i + 1 < length; i += 2) sum += (unsigned)data[i] << 8 | data[i + 1];
    while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
    return ~sum & 0xffff;
}

static struct frame arp_probe_to(const uint8_t to[MAC_BYTES], const uint8_t mac[MAC_BYTES],
                                 const uint8_t address[4]) {
    struct frame made = ethernet(to, mac, ARP);
    const uint8_t request[8] = {0, 1, IPV4 >> 8, IPV4 & 0xff, MAC_BYTES, 4, 0, 1}, nobody[10] = {0};
    put(&made, request, sizeof request);
    put(&made, mac, MAC_BYTES);
    put(&made, nobody, sizeof nobody);
    put(&made, address, 4);
    return made;
}

struct frame arp_probe(const uint8_t mac[MAC_BYTES], const uint8_t address[4]) {
    return arp_probe_to(BROADCAST, mac, address);
}

/* No IP options: the rule drops those elsewhere, and this is to test its line for the input hook. The source 0.0.0.0
   passes reverse path filters. */
static struct frame igmp_query(const uint8_t mac[MAC_BYTES], const uint8_t host[MAC_BYTES]) {
    uint8_t igmp[12] = {IGMP_QUERY, 0, 0, 0, 0, 0, 0, 0, 2, 1, 0, 0};
    uint8_t header[20] = {0x45, 0, 0, sizeof header + sizeof igmp, 0, 0, 0, 0, 1, IGMP};
    unsigned sum = checksum(igmp, sizeof igmp, 0);
    igmp[2] = sum >> 8 & 0xff, igmp[3] = sum & 0xff;
    memcpy(header + 16, ALL_SYSTEMS, 4);
    sum = checksum(header, sizeof header, 0);
    header[10] = sum >> 8 & 0xff, header[11] = sum & 0xff;
    struct frame made = ethernet(host, mac, IPV4);
    put(&made, header, sizeof header);
    put(&made, igmp, sizeof igmp);
    return made;
}

static struct frame icmpv6(const uint8_t to[MAC_BYTES], const uint8_t mac[MAC_BYTES],
                           const uint8_t target[ADDRESS_BYTES], uint8_t *message, size_t length, bool router_alert) {
    uint8_t pseudo[2 * ADDRESS_BYTES + 8] = {[35] = length & 0xff, [39] = ICMPV6};
    link_local(mac, pseudo);
    memcpy(pseudo + ADDRESS_BYTES, target, ADDRESS_BYTES);
    unsigned sum = checksum(message, length, ~checksum(pseudo, sizeof pseudo, 0) & 0xffff);
    message[2] = sum >> 8 & 0xff, message[3] = sum & 0xff;
    const uint8_t header[8] = {0x60, 0, 0, 0, 0, (length + (router_alert ? sizeof ROUTER_ALERT : 0)) & 0xff,
                               router_alert ? HOP_BY_HOP : ICMPV6, router_alert ? 1 : 255};
    struct frame made = ethernet(to, mac, IPV6);
    put(&made, header, sizeof header);
    put(&made, pseudo, 2 * ADDRESS_BYTES);
    if (router_alert) put(&made, ROUTER_ALERT, sizeof ROUTER_ALERT);
    put(&made, message, length);
    return made;
}

static struct frame mld_query(const uint8_t to[MAC_BYTES], const uint8_t mac[MAC_BYTES]) {
    uint8_t mld[28] = {MLD_QUERY, [24] = 2, [25] = 1};
    return icmpv6(to, mac, ALL_NODES, mld, sizeof mld, true);
}

static struct frame echo(const uint8_t to[MAC_BYTES], const uint8_t mac[MAC_BYTES],
                         const uint8_t target[ADDRESS_BYTES]) {
    uint8_t request[8] = {ECHO_REQUEST, 0, 0, 0, 0, 1, 0, 1};
    return icmpv6(to, mac, target, request, sizeof request, false);
}

/* A multicast query is answered as soon as the interface has joined a group, also while its link-local address is
   tentative (1 to 2 s) and answers nothing else. Sent to the host's own MAC, so that the bridge does not take us for
   the network's multicast router. */
void questions(const uint8_t mac[MAC_BYTES], const uint8_t host[MAC_BYTES], struct frame asked[QUESTIONS]) {
    uint8_t address[ADDRESS_BYTES];
    link_local(host, address);
    uint8_t ask[32] = {SOLICITATION, [24] = 1, [25] = 1};
    memcpy(ask + 8, address, ADDRESS_BYTES);
    memcpy(ask + 26, mac, MAC_BYTES);
    asked[0] = igmp_query(mac, host);
    asked[1] = mld_query(host, mac);
    asked[2] = icmpv6(host, mac, address, ask, sizeof ask, false);
    asked[3] = echo(host, mac, address);
    asked[4] = echo(ALL_NODES_MAC, mac, ALL_NODES);
}

void port_questions(const uint8_t mac[MAC_BYTES], const uint8_t likely[2][4], struct frame asked[PORT_QUESTIONS]) {
    uint8_t to[MAC_BYTES];
    memcpy(to, RESERVED, MAC_BYTES);
    for (int i = 0; i < RESERVED_ADDRESSES; i++, to[5]++) {
        *asked++ = arp_probe_to(to, mac, likely[0]);
        *asked++ = arp_probe_to(to, mac, likely[1]);
        *asked++ = mld_query(to, mac);
        *asked++ = echo(to, mac, ALL_NODES);
    }
}

/* ---- what is heard ---- */

/* A frame that is shorter than what it claims says nothing, whatever was read of it before. */
#define NEED(index) do { if ((size_t)(index) >= length) return (struct heard){.role = NOTHING}; } while (0)

static struct heard answer(const char *what, int number) {
    struct heard heard = {.role = ANSWER};
    snprintf(heard.what, sizeof heard.what, what, number);
    return heard;
}

static struct heard report(const char *name, unsigned traffic_class, const uint8_t *frame, size_t length, size_t start,
                           size_t address_bytes) {
    bool answers = false, joins = false;
    NEED(start + 7);
    unsigned records = (unsigned)frame[start + 6] << 8 | frame[start + 7];
    size_t position = start + 8;
    for (unsigned i = 0; i < records; i++) {
        NEED(position + 3); /* each record is 8 bytes or more, so the frame's length ends this */
        size_t auxiliary_words = frame[position + 1];
        size_t sources = (size_t)frame[position + 2] << 8 | frame[position + 3];
        answers |= frame[position] == IS_INCLUDE || frame[position] == IS_EXCLUDE;
        joins |= frame[position] == CHANGE_TO_EXCLUDE;
        position += 4 + address_bytes * (1 + sources) + 4 * auxiliary_words;
    }
    struct heard heard = {.role = NOTHING};
    if (answers) {
        heard.role = ANSWER;
        snprintf(heard.what, sizeof heard.what, "%s that answers our query", name);
    } else if (joins) {
        heard.role = traffic_class == SIGNATURE ? SIGNED : ANNOUNCEMENT;
        snprintf(heard.what, sizeof heard.what, "%s %s the host rule's signature", name,
                 heard.role == SIGNED ? "with" : "without");
    }
    return heard;
}

static struct heard ipv4_meaning(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]) {
    NEED(23);
    if (memcmp(frame, mac, MAC_BYTES) == 0) return answer("an IPv4 packet, protocol %d", frame[23]);
    size_t start = ETHERNET_BYTES + (frame[14] & 15u) * 4;
    NEED(start);
    if (frame[23] != IGMP || frame[start] != IGMPV3_REPORT) return (struct heard){.role = NOTHING};
    return report("IGMPv3 report", frame[15], frame, length, start, 4);
}

static struct heard ipv6_meaning(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]) {
    uint8_t own[ADDRESS_BYTES];
    link_local(mac, own);
    NEED(20);
    unsigned header = frame[20];
    size_t start = ETHERNET_BYTES + IPV6_BYTES;
    if (header == HOP_BY_HOP) {
        NEED(55);
        header = frame[54];
        start += 8 * ((size_t)frame[55] + 1);
    }
    if (length >= 54 && memcmp(frame + 38, own, ADDRESS_BYTES) == 0) {
        if (header != ICMPV6) return answer("an IPv6 packet, protocol %d", (int)header);
        NEED(start);
        return answer("ICMPv6 type %d", frame[start]);
    }
    if (header != ICMPV6) return (struct heard){.role = NOTHING};
    NEED(start);
    if (frame[start] == SOLICITATION && length >= start + 24 && memcmp(frame + start + 8, own, ADDRESS_BYTES) == 0)
        return answer("a neighbour solicitation for our address", 0);
    if (frame[start] != MLDV2_REPORT) return (struct heard){.role = NOTHING};
    unsigned traffic_class = (frame[14] & 15u) << 4 | frame[15] >> 4;
    return report("MLDv2 report", traffic_class, frame, length, start, ADDRESS_BYTES);
}

/* Daemons of the host may speak on the host's end of our own link, which is not the bridge: what is neither an answer
   to us nor a multicast report proves nothing. */
struct heard meaning(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]) {
    NEED(13);
    switch (frame[12] << 8 | frame[13]) {
    case ARP:
        return answer("ARP", 0);
    case IPV4:
        return ipv4_meaning(frame, length, mac);
    case IPV6:
        return ipv6_meaning(frame, length, mac);
    default:
        return (struct heard){.role = NOTHING};
    }
}
