/* synthetic.h - a small labelled image set that a model can learn in seconds, as IDX files in a folder of its own. */
#ifndef TESTS_SYNTHETIC_H
#define TESTS_SYNTHETIC_H

#include <cuglyph/config.h>

typedef struct synthetic {
    char dir[64];
    char data[320]; /* for --data: "idx:..." with training and test part */
} synthetic;

enum { SYNTHETIC_TRAIN = 600, SYNTHETIC_TEST = 200, SYNTHETIC_SIDE = 10, SYNTHETIC_CLASSES = 4 };

/* Makes a temporary folder with four IDX files: noisy 10x10 images, class k bright in its own quarter. */
void synthetic_make(synthetic *s);
/* Removes the folder and all in it. */
void synthetic_remove(synthetic *s);

/* A small convolutional net for them, dropout included. */
#define SYNTHETIC_MODEL "input 10x10x1; conv 8 3x3; relu; maxpool 2; flatten; linear 16; relu; dropout 0.25; linear 4"

/* Defaults for such a run: 3 epochs of 17 steps, the last of them short. */
void synthetic_config(const synthetic *s, cug_config *c);

/* The whole file in memory (free it), its length in *n; fails the test when it cannot be read. */
char *slurp(const char *path, size_t *n);

#endif
