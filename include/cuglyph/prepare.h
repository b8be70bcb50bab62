/* prepare.h - a picture of a handwritten digit made into what MNIST's images are, or merely resized. */
#ifndef CUGLYPH_PREPARE_H
#define CUGLYPH_PREPARE_H

#include <cuglyph/png.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Which is ink? NO: what is brighter than the paper; YES: what is darker. AUTO: where the sum of differences from the
 * paper is greater; a tie is NO. The paper is the median grey level of the picture's outermost pixels. */
typedef enum { CUG_INVERT_AUTO, CUG_INVERT_NO, CUG_INVERT_YES } cug_invert;

/* The steps that made MNIST (LeCun et al. 1998; yann.lecun.com/exdb/mnist), for out (H, W), light ink on 0:
 *   grey      luma of ITU-R BT.601, 0.299 R + 0.587 G + 0.114 B, rounded
 *   ink       difference from the paper on the ink's side; below 1/8 of the strongest it counts as paper
 *   crop      to the ink's bounding box
 *   resize    its longer side to a box of 20/28 of min(H, W), rounded, the other in proportion (at least 1), each pixel
 *             the mean over the area it covers
 *   stretch   the strongest pixel to 255, as nearly all of MNIST has it
 *   place     by whole pixels, so that the centre of mass lies in the pixel H/2, W/2 (14, 14, as in MNIST); no further
 *             than the digit's edge fits
 * 28x28 thus gives MNIST's own 20x20 box; other sizes the same proportions.
 * CUG_EBLANK: ink and paper differ by less than 16 of 255 levels; CUG_EINVAL: a size below 4. out is then untouched. */
CUG_API cug_status cug_prepare_digit(uint8_t *out, int H, int W, const cug_picture *p, cug_invert invert);

/* Stretched to (H, W, C), each pixel the mean over the area it covers; C = 1: grey as above, C = 3: RGB (grey
 * repeated). 255 - v with CUG_INVERT_YES, else as it is. Equal sizes keep every byte. CUG_EINVAL: another C. */
CUG_API cug_status cug_prepare_resize(uint8_t *out, int H, int W, int C, const cug_picture *p, cug_invert invert);

#ifdef __cplusplus
}
#endif
#endif
