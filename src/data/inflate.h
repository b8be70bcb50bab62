/* inflate.h - bytes that may be gzip, unpacked as they arrive. Private to src/data: one decoder serves the IDX reader,
 * the checksums and the downloads. */
#ifndef CUG_DATA_INFLATE_H
#define CUG_DATA_INFLATE_H

#include <cuglyph/status.h>
#include <stddef.h>
#include <stdint.h>
#include <zlib.h>

/* Takes the unpacked bytes in order; a status other than CUG_OK stops the decoder, which returns it. */
typedef cug_status (*cug_sink)(void *user, const uint8_t *bytes, size_t n);

typedef enum { CUG_INFLATE_START, CUG_INFLATE_PLAIN, CUG_INFLATE_MEMBER, CUG_INFLATE_BETWEEN } cug_inflate_state;

typedef struct cug_inflate {
    z_stream z;
    cug_inflate_state state;
    int open; /* z needs inflateEnd */
    cug_sink sink;
    void *user;
    const char *where; /* for messages; not copied */
} cug_inflate;

void cug_inflate_begin(cug_inflate *f, const char *where, cug_sink sink, void *user);
/* The next bytes. What starts with 0x1f is gzip (an IDX file starts with 0), any number of members one after another.
 * CUG_EIDX_GZIP: corrupt; CUG_EIDX_TRAILING: other bytes after the last member; or the sink's status. */
cug_status cug_inflate_feed(cug_inflate *f, const void *bytes, size_t n);
/* No more bytes: CUG_EIDX_GZIP when the gzip stream is not at its end. */
cug_status cug_inflate_finish(cug_inflate *f);
void cug_inflate_end(cug_inflate *f); /* frees; safe after a failure and twice */

/* A whole file through the sink. CUG_ENOENT; CUG_EIO (unreadable, a folder); and the above. */
cug_status cug_inflate_file(const char *path, cug_sink sink, void *user);

#endif
