/* data.h - what the parts of `cuglyph data` share. */
#ifndef CUG_CLI_DATA_H
#define CUG_CLI_DATA_H

#include <stddef.h>

typedef struct data_options {
    const char *name; /* data set */
    const char *data_dir, *mirror, *class_name, *png;
    long long count, start, rows, scale; /* 0: the default */
    int test;                            /* --split test */
} data_options;

/* cuglyph data show; returns the exit status. */
int data_show(const data_options *o);

/* 60000 -> "60,000"; returns out. */
const char *data_grouped(size_t n, char out[32]);
/* Columns of the terminal on this descriptor; 80 when it is none. */
int data_columns(int fd);

#endif
