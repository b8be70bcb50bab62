/* bce_logits.h - binary cross-entropy on logits, each output a yes/no question of its own. Contract: cug_loss_ops
 * (softmax_xent.h), with
 *   loss = mean_k [ max(z,0) - z t + log(1 + exp(-|z|)) ];  dz[k] = (sigmoid(z[k]) - t[k]) / (N K). */
#ifndef CUGLYPH_BCE_LOGITS_H
#define CUGLYPH_BCE_LOGITS_H
#include <cuglyph/softmax_xent.h>
#endif
