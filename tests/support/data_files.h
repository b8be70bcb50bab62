/* data_files.h - for the tests of data: temporary folders, IDX and gzip bytes, running the program. */
#ifndef TEST_DATA_FILES_H
#define TEST_DATA_FILES_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>

/* A fresh folder for the running test, and its removal with all that is in it (TestSuite's .init and .fini). */
extern char tdata_dir[PATH_MAX];
void tdata_begin(void);
void tdata_end(void);
/* tdata_dir/NAME, in one of a few rotating buffers. */
const char *tdata_path(const char *name);
/* How many entries a folder has, "." and ".." aside; -1: no such folder. */
int tdata_entries(const char *dir);

void tdata_write(const char *path, const void *bytes, size_t n);
/* The file's bytes, to be freed; NULL when it is not there. */
uint8_t *tdata_read(const char *path, size_t *n);

/* An IDX file's bytes in malloc'ed memory: element i is fill(i). */
uint8_t *tdata_idx(int ndim, const uint32_t *dims, uint8_t (*fill)(size_t), size_t *n);
/* gzip of bytes, one member, in malloc'ed memory. */
uint8_t *tdata_gzip(const void *bytes, size_t n, size_t *n_out);

/* An image set of its four known file names in dir (made when missing): H x W images filled by index, labels as
 * label(i). gz: compressed. */
void tdata_write_set(const char *dir, uint32_t n_train, uint32_t n_test, uint32_t H, uint32_t W,
                     uint8_t (*label)(size_t), int gz);

typedef struct tdata_run {
    int status; /* exit status; 128 + signal */
    char out[65536], err[8192];
    int err_lines;
} tdata_run;

/* Runs the program that was built beside the test binary. args: NULL-terminated, without the program's name. Where
 * interrupt_when is not NULL, SIGINT is sent once it points to other than 0. */
void tdata_cuglyph(tdata_run *r, const char *const *args, const volatile int *interrupt_when);

/* 1 when MNIST can be opened; else the running test is skipped with the reason. */
int tdata_have_mnist(void);

#endif
