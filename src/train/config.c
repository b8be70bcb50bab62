/* config.c - setting, reading and checking options, all through the table. */
#include "train/config_internal.h"
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *place_of(const cug_config *c, const cug_row *row) { return (char *)c + row->offset; }

static int find_word(const cug_row *row, const char *value) {
    for (int i = 0; row->word(i); i++)
        if (strcmp(row->word(i), value) == 0) return i;
    return strcmp(row->option.key, "optimizer") == 0 && strcmp(value, "gd") == 0 ? CUG_OPT_SGD : -1;
}

static cug_status not_a_word(const cug_row *row, const char *value) {
    char list[256] = "";
    size_t n = 0;
    for (int i = 0; row->word(i) && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", row->word(i));
    return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not one of %s", value, list);
}

/* auto, cpu, ref, cuda, cuda:0 ... cuda:255 */
static int is_device(const char *s) {
    static const char *const words[] = {"auto", "cpu", "ref", "cuda"};
    for (int i = 0; i < 4; i++)
        if (strcmp(s, words[i]) == 0) return 1;
    if (strncmp(s, "cuda:", 5) != 0) return 0;
    size_t n = strspn(s + 5, "0123456789");
    return n >= 1 && n <= 3 && s[5 + n] == 0 && strtol(s + 5, 0, 10) <= 255;
}

static cug_status set_string(const cug_row *row, char **slot, const char *value) {
    size_t n = strlen(value);
    if (n > CUG_CONFIG_MAX_TEXT)
        return cug_fail(CUG_ECONFIG_VALUE, "text of %zu bytes, at most %d are allowed", n, CUG_CONFIG_MAX_TEXT);
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)value[i] < ' ' || value[i] == 0x7f)
            return cug_fail(CUG_ECONFIG_VALUE, "text holds a line break or another control character");
    if (row->word && n && find_word(row, value) < 0) return not_a_word(row, value);
    if (row->word && !n && *row->fallback) return not_a_word(row, value);
    if (strcmp(row->option.key, "device") == 0 && !is_device(value))
        return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not one of auto, cpu, ref, cuda, cuda:N", value);
    char *copy = strdup(value);
    if (!copy) return cug_fail(CUG_ENOMEM, "out of memory");
    free(*slot);
    *slot = copy;
    return CUG_OK;
}

/* Digits only, perhaps after a '-': strtoll and strtoull would take more. */
static int is_whole(const char *s, int negative) {
    s += negative && *s == '-';
    return *s && s[strspn(s, "0123456789")] == 0;
}

static cug_status set_int(const cug_row *row, int64_t *slot, const char *value) {
    long long v = is_whole(value, 1) ? strtoll(value, NULL, 10) : 0; /* saturates, which no range allows */
    if (!is_whole(value, 1) || (double)v < row->lo || (double)v > row->hi)
        return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not a whole number from %.0f to %.0f", value, row->lo, row->hi);
    *slot = v;
    return CUG_OK;
}

static cug_status set_u64(uint64_t *slot, const char *value) {
    errno = 0;
    unsigned long long v = is_whole(value, 0) ? strtoull(value, NULL, 10) : 0;
    if (!is_whole(value, 0) || errno)
        return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not a whole number from 0 to %" PRIu64, value, UINT64_MAX);
    *slot = v;
    return CUG_OK;
}

static cug_status set_real(const cug_row *row, double *slot, const char *value) {
    double v;
    char lo[32], hi[32];
    int ok = cug_parse_real(value, &v) == 0;
    ok = ok && (row->open_lo ? v > row->lo : v >= row->lo);
    /* Backends compute in float32: what rounds to the open bound there is as bad as the bound. */
    ok = ok && (row->open_hi ? v < row->hi && (float)v < (float)row->hi : v <= row->hi);
    if (!ok) {
        cug_format_real(row->lo, lo, sizeof lo);
        cug_format_real(row->hi, hi, sizeof hi);
        return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not a number %s %s and %s %s", value,
                        row->open_lo ? "above" : "from", lo, row->open_hi ? "below" : "up to", hi);
    }
    *slot = v;
    return CUG_OK;
}

static cug_status set_flag(int *slot, const char *value) {
    static const char *const words[] = {"false", "true", "0", "1", "no", "yes"};
    for (int i = 0; i < 6; i++)
        if (strcmp(value, words[i]) == 0) {
            *slot = i % 2;
            return CUG_OK;
        }
    return cug_fail(CUG_ECONFIG_VALUE, "'%.80s' is not true or false (1 0 yes no)", value);
}

cug_status cug_config_set_row(cug_config *c, const cug_row *row, const char *value) {
    void *slot = place_of(c, row);
    switch (row->kind) {
    case CUG_KIND_STRING:
        return set_string(row, slot, value);
    case CUG_KIND_INT:
        return set_int(row, slot, value);
    case CUG_KIND_U64:
        return set_u64(slot, value);
    case CUG_KIND_REAL:
        return set_real(row, slot, value);
    case CUG_KIND_FLAG:
        return set_flag(slot, value);
    case CUG_KIND_WORD:
        break;
    }
    int word = find_word(row, value);
    if (word < 0) return not_a_word(row, value);
    *(int *)slot = word;
    return CUG_OK;
}

cug_status cug_config_set(cug_config *c, const char *key, const char *value) {
    if (!c || !key || !value) return cug_fail(CUG_EINVAL, "cug_config_set: config, key or value missing");
    int i = cug_config_find(key);
    if (i < 0) return cug_config_unknown(key, key);
    cug_status st = cug_config_set_row(c, cug_config_row(i), value);
    return st == CUG_OK ? st : cug_fail_at(st, "%s", key);
}

const char *cug_config_get(const cug_config *c, const char *key, char *out, size_t n) {
    int i = cug_config_find(key);
    if (n) *out = 0;
    if (i < 0 || !n) return out;
    const cug_row *row = cug_config_row(i);
    const void *slot = place_of(c, row);
    switch (row->kind) {
    case CUG_KIND_STRING:
        snprintf(out, n, "%s", *(char *const *)slot ? *(char *const *)slot : "");
        break;
    case CUG_KIND_INT:
        snprintf(out, n, "%" PRId64, *(const int64_t *)slot);
        break;
    case CUG_KIND_U64:
        snprintf(out, n, "%" PRIu64, *(const uint64_t *)slot);
        break;
    case CUG_KIND_REAL:
        cug_format_real(*(const double *)slot, out, n);
        break;
    case CUG_KIND_FLAG:
        snprintf(out, n, "%s", *(const int *)slot ? "true" : "false");
        break;
    case CUG_KIND_WORD:
        snprintf(out, n, "%s", row->word(*(const int *)slot));
        break;
    }
    return out;
}

void cug_config_defaults(cug_config *c) {
    *c = (cug_config){0};
    for (int i = 0; cug_config_row(i); i++) cug_config_set_row(c, cug_config_row(i), cug_config_row(i)->fallback);
}

void cug_config_free(cug_config *c) {
    if (!c) return;
    for (int i = 0; cug_config_row(i); i++) {
        char **slot = place_of(c, cug_config_row(i));
        if (cug_config_row(i)->kind != CUG_KIND_STRING) continue;
        free(*slot);
        *slot = NULL;
    }
}

cug_status cug_config_whole(const cug_config *c) {
    for (int i = 0; cug_config_row(i); i++)
        if (cug_config_row(i)->kind == CUG_KIND_STRING && !*(char *const *)place_of(c, cug_config_row(i)))
            return cug_fail(CUG_ENOMEM, "out of memory for option %s", cug_config_row(i)->option.key);
    return CUG_OK;
}

cug_status cug_config_check(const cug_config *c) {
    CUG_TRY(cug_config_whole(c));
    int onecycle = c->schedule == CUG_SCHED_ONECYCLE || c->schedule == CUG_SCHED_ONECYCLE_LINEAR;
    if (!*c->model || !*c->data) return cug_fail(CUG_ECONFIG_VALUE, "model and data must be named");
    if (c->min_lr > c->lr) return cug_fail(CUG_ECONFIG_VALUE, "min-lr is above lr: lower min-lr or raise lr");
    if (c->optimizer == CUG_OPT_MUON && !(c->muon_lr / c->lr <= 1e30))
        return cug_fail(CUG_ECONFIG_VALUE, "muon-lr is more than 1e30 times lr: raise lr or lower muon-lr");
    if (c->patience > 0 && c->val == 0)
        return cug_fail(CUG_ECONFIG_VALUE, "patience needs validation images, but val is 0: set val, or patience 0");
    if (c->warmup > 0 && onecycle)
        return cug_fail(CUG_ECONFIG_VALUE, "warmup does not go with schedule %s, which climbs by itself: use pct",
                        cug_schedule_name(c->schedule));
    if (c->max_steps > 0 && c->warmup > c->max_steps)
        return cug_fail(CUG_ECONFIG_VALUE, "warmup %" PRId64 " is longer than max-steps %" PRId64, c->warmup,
                        c->max_steps);
    return CUG_OK;
}
