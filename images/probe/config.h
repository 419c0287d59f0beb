/* What the probe reads of its configuration, the collectors' JSON in one environment variable. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdint.h>

/* Read version and first host address of the network into `first_host`; return NULL, or why that is impossible. */
const char *read_config(const char *json, uint8_t first_host[4]);

#endif
