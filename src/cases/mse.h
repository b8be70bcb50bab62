/* mse.h - samples, outputs, label smoothing. */
#ifndef CASES_MSE_H
#define CASES_MSE_H

#include <cuglyph/mse.h>

static const cug_loss_shape mse_cases[] = {
    {1, 1, 0},  {5, 1, 0},     {7, 1, 0.1f},   {128, 1, 0},   {1, 2, 0},
    {5, 10, 0}, {3, 33, 0.1f}, {96, 10, 0.1f}, {1031, 10, 0},
};

#define MSE_CASES ((int)(sizeof mse_cases / sizeof *mse_cases))

#endif
