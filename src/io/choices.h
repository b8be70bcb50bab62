/* choices.h - the file that remembers whose code was faster for a product of conv2d or linear, on one machine.
 *
 *   cuglyph-choices 1
 *   machine NVIDIA H100 80GB HBM3, sm_90, driver 13000, runtime 13000, cuglyph 0.1.0
 *   library 41.235 12.020 cudnn-91900 conv2d fwd fp32 N=128 H=28 ...
 *
 * A row: who is chosen (own or library), microseconds of each, the library with its version, the product. */
#ifndef CUG_IO_CHOICES_H
#define CUG_IO_CHOICES_H

#include <cuglyph/status.h>
#include <stddef.h>

typedef struct cug_choice_row {
    int library; /* 1: the library is chosen */
    double own_us, library_us;
    char name[32]; /* "cudnn-91900" */
    char product[224];
} cug_choice_row;

typedef struct cug_choice_file {
    char machine[400];
    cug_choice_row *rows;
    int n;
} cug_choice_file;

#define CUG_CHOICES_MOST 4096 /* rows of a file */

void cug_choices_free(cug_choice_file *f);
/* Text of a file, `where` for messages. CUG_EINVAL with "WHERE:LINE: ..." on anything that print would not write; *out
 * is then empty. */
cug_status cug_choices_parse(cug_choice_file *out, const char *text, size_t n, const char *where);
/* Such text; free() it. */
cug_status cug_choices_print(const cug_choice_file *f, char **text);
/* CUG_ENOENT: no such file. */
cug_status cug_choices_read(cug_choice_file *out, const char *path);
/* As a whole or not at all. */
cug_status cug_choices_write(const cug_choice_file *f, const char *path);

/* NULL: none for this product by this library. */
const cug_choice_row *cug_choices_find(const cug_choice_file *f, const char *name, const char *product);
/* Adds the row or replaces the one for the same product and library. */
cug_status cug_choices_put(cug_choice_file *f, const cug_choice_row *row);

/* The file of one machine: a name made from its text, in the cache folder's `choices`. CUG_ENOENT: no cache folder. */
cug_status cug_choices_path(char *out, size_t n, const char *machine);

#endif
