/* bce_logits.h - samples, outputs, label smoothing. */
#ifndef CASES_BCE_LOGITS_H
#define CASES_BCE_LOGITS_H

#include <cuglyph/bce_logits.h>

static const cug_loss_shape bce_logits_cases[] = {
    {1, 1, 0}, {5, 1, 0},  {7, 1, 0.1f},  {128, 1, 0},    {1031, 1, 0.2f},
    {1, 2, 0}, {5, 10, 0}, {3, 33, 0.1f}, {96, 10, 0.1f},
};

#define BCE_LOGITS_CASES ((int)(sizeof bce_logits_cases / sizeof *bce_logits_cases))

#endif
