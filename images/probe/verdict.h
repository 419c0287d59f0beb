/* The probe's exit codes. */
#ifndef VERDICT_H
#define VERDICT_H

enum { ISOLATED = 0, REACHED = 1, INCONCLUSIVE = 2 };

#endif
