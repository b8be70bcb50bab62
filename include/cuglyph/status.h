/* status.h - errors are values: every fallible function returns a cug_status and leaves one message behind. */
#ifndef CUGLYPH_STATUS_H
#define CUGLYPH_STATUS_H

#include <cuglyph/version.h>

#ifdef __cplusplus
extern "C" {
#endif

/* X(name, text): one code for each way a thing can go wrong, in groups by who reports it. */
#define CUG_STATUS_LIST(X)                                                                                             \
    X(OK, "success")                                                                                                   \
    X(EINVAL, "invalid argument")                                                                                      \
    X(ENOTSUP, "not supported by this backend")                                                                        \
    X(ENOMEM, "out of memory")                                                                                         \
    X(EIO, "input/output error")                                                                                       \
    X(ENOENT, "no such file or folder")                                                                                \
    X(ENOSPC, "no space left on device")                                                                               \
    X(EBUSY, "in use by another process")                                                                              \
    X(EINTR, "stopped by a signal")                                                                                    \
    X(ENUMERIC, "NaN or Inf")                                                                                          \
    X(EMISMATCH, "results disagree")                                                                                   \
    X(ENET, "download failed")                                                                                         \
    X(ECHECKSUM, "checksum does not match")                                                                            \
    X(ECUDA, "CUDA error")                                                                                             \
    /* IDX files (idx.h) */                                                                                            \
    X(EIDX_GZIP, "corrupt gzip stream")                                                                                \
    X(EIDX_SHORT_HEADER, "IDX header cut short")                                                                       \
    X(EIDX_MAGIC, "not an IDX file")                                                                                   \
    X(EIDX_TYPE, "IDX element type is not unsigned byte")                                                              \
    X(EIDX_RANK, "IDX rank not supported")                                                                             \
    X(EIDX_ZERO_DIM, "IDX dimension is zero")                                                                          \
    X(EIDX_TOO_LARGE, "IDX sizes overflow or exceed the limit")                                                        \
    X(EIDX_SHORT_DATA, "IDX data cut short")                                                                           \
    X(EIDX_TRAILING, "bytes left over after the IDX data")                                                             \
    X(EDATA_COUNT, "image and label counts differ")                                                                    \
    X(EDATA_LABEL, "label out of range")                                                                               \
    X(EDATA_SHAPE, "image sizes differ between files or from the model")                                               \
    /* model specs (spec.h) */                                                                                         \
    X(ESPEC_SYNTAX, "spec: syntax error")                                                                              \
    X(ESPEC_UNKNOWN, "spec: unknown layer or attribute")                                                               \
    X(ESPEC_VALUE, "spec: value out of range")                                                                         \
    X(ESPEC_BRACE, "spec: unbalanced or misplaced brace")                                                              \
    X(ESPEC_NAME, "spec: unknown or repeated name")                                                                    \
    X(ESPEC_SHAPE, "spec: shapes do not fit")                                                                          \
    X(ESPEC_LIMIT, "spec: too large")                                                                                  \
    X(ESPEC_LOSS, "spec: output does not fit the loss")                                                                \
    /* checkpoints (checkpoint.h) */                                                                                   \
    X(ECKPT_HEADER, "checkpoint: bad safetensors header")                                                              \
    X(ECKPT_TENSOR, "checkpoint: bad tensor entry")                                                                    \
    X(ECKPT_RANGE, "checkpoint: tensor data out of range, overlapping or with holes")                                  \
    X(ECKPT_MISMATCH, "checkpoint: does not fit this model")                                                           \
    X(ECKPT_VERSION, "checkpoint: format version not known")                                                           \
    /* run configs (config.h) */                                                                                       \
    X(ECONFIG_SYNTAX, "config: syntax error")                                                                          \
    X(ECONFIG_KEY, "config: unknown or repeated option")                                                               \
    X(ECONFIG_VALUE, "config: value out of range")

typedef enum {
#define CUG_STATUS_ENUM(name, text) CUG_##name,
    CUG_STATUS_LIST(CUG_STATUS_ENUM)
#undef CUG_STATUS_ENUM
        CUG_STATUS_COUNT
} cug_status;

/* Name ("EIDX_MAGIC") and general text of a status; never NULL. */
CUG_API const char *cug_status_name(cug_status s);
CUG_API const char *cug_status_text(cug_status s);

/* The calling thread's last message: what is wrong, where, what to do; one line, valid until the next cug_fail. */
CUG_API const char *cug_error(void);

/* Records the message (printf format; newlines become spaces) for cug_error() and returns s, so that callers write
 * `return cug_fail(CUG_EINVAL, "...")`. */
CUG_API cug_status cug_fail(cug_status s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the calling thread's last message and returns s: adds the place to a callee's failure. */
CUG_API cug_status cug_fail_at(cug_status s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#if defined(__clang_analyzer__) ||                                                                                     \
    defined(CUG_ANALYZE) /* lets analyzers see that the status comes back as it went in */
static inline cug_status cug_fail_seen(cug_status s, const char *fmt, ...) {
    (void)fmt;
    return s;
}
#define cug_fail cug_fail_seen
#define cug_fail_at cug_fail_seen
#endif

#define CUG_TRY(expr)                                                                                                  \
    do {                                                                                                               \
        cug_status cug_try_status_ = (expr);                                                                           \
        if (cug_try_status_ != CUG_OK) return cug_try_status_;                                                         \
    } while (0)

/* For functions with a `cleanup:` label and a local `cug_status st`. */
#define CUG_GOTO(expr)                                                                                                 \
    do {                                                                                                               \
        st = (expr);                                                                                                   \
        if (st != CUG_OK) goto cleanup;                                                                                \
    } while (0)

#ifdef __cplusplus
}
#endif
#endif
