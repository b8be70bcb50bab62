/* data_files.c - temporary folders, IDX and gzip bytes, and the program as a child process. */
#include "data_files.h"
#include <criterion/criterion.h>
#include <cuglyph/dataset.h>
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

char tdata_dir[PATH_MAX];

void tdata_begin(void) {
    const char *tmp = getenv("TMPDIR");
    snprintf(tdata_dir, sizeof tdata_dir, "%s/cuglyph-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    cr_assert(mkdtemp(tdata_dir), "cannot make a temporary folder");
}

static int remove_entry(const char *path, const struct stat *s, int type, struct FTW *at) {
    (void)s, (void)type, (void)at;
    return remove(path);
}

void tdata_end(void) {
    if (tdata_dir[0]) nftw(tdata_dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    tdata_dir[0] = 0;
}

const char *tdata_path(const char *name) {
    static char buffer[8][PATH_MAX + 256];
    static unsigned next;
    char *out = buffer[next++ % 8];
    snprintf(out, sizeof buffer[0], "%s/%s", tdata_dir, name);
    return out;
}

int tdata_entries(const char *dir) {
    DIR *d = opendir(dir);
    if (!d) return -1;
    int n = -2;
    while (readdir(d)) n++;
    closedir(d);
    return n;
}

void tdata_write(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    cr_assert(f, "cannot write %s", path);
    cr_assert_eq(fwrite(bytes, 1, n, f), n);
    cr_assert_eq(fclose(f), 0);
}

uint8_t *tdata_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    uint8_t *bytes = malloc(*n + 1);
    cr_assert(bytes);
    cr_assert_eq(fread(bytes, 1, *n, f), *n);
    fclose(f);
    return bytes;
}

uint8_t *tdata_idx(int ndim, const uint32_t *dims, uint8_t (*fill)(size_t), size_t *n) {
    size_t count = 1, head = 4 + 4 * (size_t)ndim;
    for (int i = 0; i < ndim; i++) count *= dims[i];
    uint8_t *b = malloc(head + count);
    cr_assert(b);
    b[0] = b[1] = 0;
    b[2] = 8;
    b[3] = (uint8_t)ndim;
    for (int i = 0; i < ndim; i++)
        for (int k = 0; k < 4; k++) b[4 + 4 * i + k] = (uint8_t)(dims[i] >> (24 - 8 * k));
    for (size_t i = 0; i < count; i++) b[head + i] = fill(i);
    *n = head + count;
    return b;
}

uint8_t *tdata_gzip(const void *bytes, size_t n, size_t *n_out) {
    z_stream z = {.next_in = (z_const Bytef *)bytes, .avail_in = (uInt)n};
    cr_assert_eq(deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, (uLong)n) + 64;
    uint8_t *out = malloc(room);
    cr_assert(out);
    z.next_out = out;
    z.avail_out = (uInt)room;
    cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
    *n_out = room - z.avail_out;
    deflateEnd(&z);
    return out;
}

static uint8_t pixel_of(size_t i) { return (uint8_t)(i * 7 + i / 251); }

static void write_idx(const char *dir, const char *name, int ndim, const uint32_t *dims, uint8_t (*fill)(size_t),
                      int gz) {
    char path[PATH_MAX + 256];
    size_t n, packed_n;
    uint8_t *b = tdata_idx(ndim, dims, fill, &n);
    snprintf(path, sizeof path, "%s/%s%s", dir, name, gz ? ".gz" : "");
    if (gz) {
        uint8_t *packed = tdata_gzip(b, n, &packed_n);
        tdata_write(path, packed, packed_n);
        free(packed);
    } else {
        tdata_write(path, b, n);
    }
    free(b);
}

void tdata_write_set(const char *dir, uint32_t n_train, uint32_t n_test, uint32_t H, uint32_t W,
                     uint8_t (*label)(size_t), int gz) {
    mkdir(dir, 0777);
    write_idx(dir, "train-images-idx3-ubyte", 3, (const uint32_t[]){n_train, H, W}, pixel_of, gz);
    write_idx(dir, "train-labels-idx1-ubyte", 1, (const uint32_t[]){n_train}, label, gz);
    write_idx(dir, "t10k-images-idx3-ubyte", 3, (const uint32_t[]){n_test, H, W}, pixel_of, gz);
    write_idx(dir, "t10k-labels-idx1-ubyte", 1, (const uint32_t[]){n_test}, label, gz);
}

static void slurp(FILE *f, char *out, size_t n) {
    rewind(f);
    out[fread(out, 1, n - 1, f)] = 0;
    fclose(f);
}

void tdata_cuglyph(tdata_run *r, const char *const *args, const volatile int *interrupt_when) {
    char program[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", program, sizeof program - 16);
    cr_assert_gt(n, 0);
    program[n] = 0;
    strcpy(strrchr(program, '/'), "/cuglyph");
    cr_assert_eq(access(program, X_OK), 0, "%s is not there: build the program before the tests", program);
    const char *argv[32] = {program};
    for (int i = 0; args[i]; i++) argv[i + 1] = args[i];

    FILE *out = tmpfile(), *err = tmpfile();
    cr_assert(out && err);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        execv(program, (char **)argv);
        _exit(127);
    }
    if (interrupt_when) {
        for (int ms = 0; !*interrupt_when && ms < 20000; ms += 10) usleep(10000);
        kill(pid, SIGINT);
    }
    int status;
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    r->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
    slurp(out, r->out, sizeof r->out);
    slurp(err, r->err, sizeof r->err);
    r->err_lines = 0;
    for (const char *p = r->err; *p; p++) r->err_lines += *p == '\n';
}

int tdata_have_mnist(void) {
    cug_dataset *d = NULL;
    cug_status st = cug_dataset_open(&d, "mnist", NULL);
    cug_dataset_free(d);
    if (st == CUG_OK) return 1;
    cr_skip_test("MNIST is not here (set CUGLYPH_DATA or run: cuglyph data fetch mnist)");
    return 0;
}
