/* config_internal.h - the option table and what its users share. */
#ifndef CUG_TRAIN_CONFIG_INTERNAL_H
#define CUG_TRAIN_CONFIG_INTERNAL_H

#include <cuglyph/config.h>

#define CUG_CONFIG_MAX_TEXT (1 << 20) /* bytes of one string value: what a spec may have */
#define CUG_CONFIG_MAX_OPTIONS 64

typedef enum {
    CUG_KIND_STRING,
    CUG_KIND_INT,
    CUG_KIND_U64,
    CUG_KIND_REAL,
    CUG_KIND_WORD,
    CUG_KIND_FLAG
} cug_option_kind;

/* One option: how it is shown, where it lives in cug_config, what it may be. */
typedef struct cug_row {
    cug_option option;
    cug_option_kind kind;
    size_t offset;            /* in cug_config */
    const char *fallback;     /* the default, as text */
    double lo, hi;            /* INT, REAL */
    int open_lo, open_hi;     /* REAL: the bound itself is not allowed */
    const char *(*word)(int); /* WORD, and STRING with a fixed choice: the i-th word, NULL past the end */
} cug_row;

const cug_row *cug_config_row(int i); /* NULL past the end */
/* Index of a key, -1 for none. */
int cug_config_find(const char *key);
/* The known key most like this one, NULL when none is near. */
const char *cug_config_nearest(const char *key);
/* CUG_ECONFIG_KEY for an unknown key, with the suggestion; the message starts with `shown`. */
cug_status cug_config_unknown(const char *shown, const char *key);

/* Sets one option; messages speak of the value only, callers put the place and the key before them. */
cug_status cug_config_set_row(cug_config *c, const cug_row *row, const char *value);

/* CUG_ENOMEM when a text is NULL: memory was short for its default. */
cug_status cug_config_whole(const cug_config *c);

/* Numbers as C writes them whatever the locale; the printed text reads back as exactly v. */
int cug_parse_real(const char *text, double *v); /* 0, or -1: not a finite number, or something after it */
void cug_format_real(double v, char *out, size_t n);

#endif
