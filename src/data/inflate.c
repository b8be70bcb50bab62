/* inflate.c - gzip or plain bytes, pushed in as they come and pushed on unpacked. */
#include "data/inflate.h"
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

enum { CHUNK = 64 * 1024, GZIP_FIRST_BYTE = 0x1f, GZIP_WINDOW = 15 + 16 /* gzip framing only */ };

void cug_inflate_begin(cug_inflate *f, const char *where, cug_sink sink, void *user) {
    *f = (cug_inflate){.state = CUG_INFLATE_START, .sink = sink, .user = user, .where = where};
}

void cug_inflate_end(cug_inflate *f) {
    if (f->open) inflateEnd(&f->z);
    f->open = 0;
}

static cug_status start_member(cug_inflate *f) {
    int r = f->open ? inflateReset(&f->z) : inflateInit2(&f->z, GZIP_WINDOW);
    if (r != Z_OK) return cug_fail(CUG_ENOMEM, "%s: out of memory for zlib", f->where);
    f->open = 1;
    f->state = CUG_INFLATE_MEMBER;
    return CUG_OK;
}

/* Unpacks what z.next_in holds, up to the end of the member. */
static cug_status unpack(cug_inflate *f) {
    uint8_t out[CHUNK];
    do {
        f->z.next_out = out;
        f->z.avail_out = sizeof out;
        int r = inflate(&f->z, Z_NO_FLUSH);
        size_t got = sizeof out - f->z.avail_out;
        if (got) CUG_TRY(f->sink(f->user, out, got));
        if (r == Z_STREAM_END) {
            f->state = CUG_INFLATE_BETWEEN;
            return CUG_OK;
        }
        if (r == Z_MEM_ERROR) return cug_fail(CUG_ENOMEM, "%s: out of memory for zlib", f->where);
        if (r != Z_OK && r != Z_BUF_ERROR) /* Z_BUF_ERROR: all input used, more to come */
            return cug_fail(CUG_EIDX_GZIP, "%s: corrupt gzip stream (%s); get the file again", f->where,
                            f->z.msg ? f->z.msg : "bad data");
    } while (f->z.avail_out == 0);
    return CUG_OK;
}

cug_status cug_inflate_feed(cug_inflate *f, const void *bytes, size_t n) {
    const uint8_t *p = bytes;
    while (n) {
        if (f->state == CUG_INFLATE_START && p[0] != GZIP_FIRST_BYTE) f->state = CUG_INFLATE_PLAIN;
        if (f->state == CUG_INFLATE_PLAIN) return f->sink(f->user, p, n);
        if (f->state == CUG_INFLATE_BETWEEN && p[0] != GZIP_FIRST_BYTE)
            return cug_fail(CUG_EIDX_TRAILING, "%s: bytes left over after the gzip stream; get the file again",
                            f->where);
        if (f->state != CUG_INFLATE_MEMBER) CUG_TRY(start_member(f));
        uInt take = n < CHUNK ? (uInt)n : CHUNK;
        f->z.next_in = (z_const Bytef *)p;
        f->z.avail_in = take;
        CUG_TRY(unpack(f));
        size_t used = take - f->z.avail_in;
        p += used;
        n -= used;
    }
    return CUG_OK;
}

cug_status cug_inflate_finish(cug_inflate *f) {
    if (f->state != CUG_INFLATE_MEMBER) return CUG_OK;
    return cug_fail(CUG_EIDX_GZIP, "%s: gzip stream cut short; get the file again", f->where);
}

cug_status cug_inflate_file(const char *path, cug_sink sink, void *user) {
    uint8_t in[CHUNK];
    cug_status st = CUG_OK;
    cug_inflate f;
    cug_inflate_begin(&f, path, sink, user);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        if (errno == ENOENT || errno == ENOTDIR) return cug_fail(CUG_ENOENT, "%s: no such file; check the path", path);
        return cug_fail(CUG_EIO, "%s: cannot open: %s", path, strerror(errno));
    }
    for (;;) {
        ssize_t n = read(fd, in, sizeof in);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            st = errno == EISDIR ? cug_fail(CUG_EIO, "%s: is a folder; name the file in it", path)
                                 : cug_fail(CUG_EIO, "%s: cannot read: %s", path, strerror(errno));
            goto cleanup;
        }
        if (n == 0) break;
        CUG_GOTO(cug_inflate_feed(&f, in, (size_t)n));
    }
    st = cug_inflate_finish(&f);
cleanup:
    close(fd);
    cug_inflate_end(&f);
    return st;
}
