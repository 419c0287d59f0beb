/* Tells from inside an overlay whether anything leads out of it, and whether the other hosts are reached. */
#ifndef OVERLAY_H
#define OVERLAY_H

#include "config.h"

#include <stddef.h>

/* Return the probe's exit code and write the reason. It has to be on an overlay, with a probe on each other host. */
int judge_overlay(const struct config *config, char *reason, size_t size);

#endif
