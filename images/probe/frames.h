/* Ethernet frames that the probe sends, and what the frames that it hears mean. */
#ifndef FRAMES_H
#define FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { MAC_BYTES = 6, QUESTIONS = 5, MAX_FRAME_BYTES = 2048 };
enum { RESERVED_ADDRESSES = 14, PORT_QUESTIONS = 4 * RESERVED_ADDRESSES };

/* A frame to send. 128 bytes hold the longest question. */
struct frame {
    uint8_t bytes[128];
    size_t length;
};

/* `NOTHING`: it says nothing about the host. `ANSWER` is to us; `SIGNED` and `ANNOUNCEMENT` come by themselves. */
enum role { NOTHING, ANSWER, SIGNED, ANNOUNCEMENT };

struct heard {
    enum role role;
    char what[64];
};

/* Who has `address`? Without a sender address (RFC 5227), as reverse path filters do not drop that. */
struct frame arp_probe(const uint8_t mac[MAC_BYTES], const uint8_t address[4]);

/* What a host that receives our frames answers by itself, at once, through the bridge. */
void questions(const uint8_t mac[MAC_BYTES], const uint8_t host[MAC_BYTES], struct frame asked[QUESTIONS]);

/* What the host's end of our own link answers to frames that a bridge leaves to its ports, about these addresses too. */
void port_questions(const uint8_t mac[MAC_BYTES], const uint8_t likely[2][4], struct frame asked[PORT_QUESTIONS]);

/* What a frame of somebody else means to us, `mac`. Reads nothing outside of `length` bytes; allocates nothing. */
struct heard meaning(const uint8_t *frame, size_t length, const uint8_t mac[MAC_BYTES]);

#endif
