/* test_cuda_library.c - conv2d and linear by cuDNN and cuBLASLt: over the emulator's stand-ins every shape against the
 * reference, the choice between own and library, its file; and finding the libraries themselves. */
#include "support/op_tests.h"
#include "support/scratch.h"
#include <criterion/criterion.h>
#include <glob.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if CUG_HAVE_CUDA
#include "cases/conv2d.h"
#include "cases/linear.h"
#include "cuda/cuda.h"
#include "cuda/library.h"
#include "io/choices.h"

#if CUG_HAVE_CUBLAS && CUG_HAVE_CUDNN

static const cug_device_options by_library = {.conv = CUG_CHOOSE_LIBRARY, .gemm = CUG_CHOOSE_LIBRARY};

/* 0: no device here, or none of the libraries. */
static int opened(op_world *w, const cug_device_options *opt) {
    if (op_open_cuda(w, stderr, opt, "cuda") == 0) return 1;
    op_close(w);
    return 0;
}

static int emulated(const op_world *w) { return strstr(w->side[0].be->describe(w->side[0].dev), "emulated") != NULL; }

/* Every case of the table; then how many products each side ran. */
static void over_the_table(const char *name, void (*run)(op_world *), int *library, int *own) {
    op_world w;
    const cug_decision *d;
    *library = *own = 0;
    if (!opened(&w, &by_library)) return;
    run(&w);
    for (int i = 0; (d = cug_choose_at(w.side[0].dev, i)); i++) {
        char text[CUG_PRODUCT_TEXT];
        *(d->library ? library : own) += 1;
        if (!d->library) cr_expect(*d->why, "%s: no reason is given", cug_product_text(&d->p, text));
    }
    int failures = op_summary(&w, name);
    cr_expect_eq(failures, 0, "%s: %d comparisons failed", name, failures);
    if (!emulated(&w) || w.tiny) *library = *own = -1; /* which shapes a real library takes is its own affair */
    op_close(&w);
}

Test(cuda_library, linear_by_cublas, .timeout = 600) {
    int library, own;
    over_the_table("linear", op_test_linear, &library, &own);
    if (library <= 0) return;
    cr_expect_eq(library, 3 * LINEAR_CASES, "%d products ran by the library", library);
    cr_expect_eq(own, 0);
}

Test(cuda_library, conv2d_by_cudnn, .timeout = 600) {
    int library, own, refused = 0;
    over_the_table("conv2d", op_test_conv2d, &library, &own);
    if (library <= 0) return;
    for (int i = 0; i < CONV2D_CASES; i++)
        refused += conv2d_cases[i].s.stride_h > conv2d_cases[i].s.R || conv2d_cases[i].s.stride_w > conv2d_cases[i].s.S;
    cr_expect_eq(own, 3 * refused, "strides past the filter are what the stand-in refuses: %d", own);
    cr_expect_eq(library, 3 * (CONV2D_CASES - refused), "%d products ran by the library", library);
}

/* TF32 and bfloat16 drop the 2^-12, float32 does not. */
#define FINE (1 + 0x1p-12f)
#define BEYOND_HALF 98304.0f /* half precision's range ends before it */

/* One product of x and 1. */
static float one_product(const op_side *s, int conv, float x) {
    const float one = 1;
    float y = 0;
    void *mem[4] = {NULL};
    const cug_linear_shape l = {1, 1, 1};
    cug_conv2d_shape c = {.N = 1, .H = 2, .W = 2, .C = 1, .K = 1, .R = 2, .S = 2, .stride_h = 1, .stride_w = 1};
    cr_assert_eq(cug_conv2d_shape_init(&c), CUG_OK);
    const size_t need =
        conv ? s->be->conv2d->workspace(s->dev, &c, CUG_FWD) : s->be->linear->workspace(s->dev, &l, CUG_FWD);
    const size_t bytes[4] = {16, 16, 16, need};
    for (int i = 0; i < 4; i++) {
        cr_assert_eq(s->be->alloc(s->dev, &mem[i], bytes[i]), CUG_OK);
        cr_assert_eq(s->be->fill(s->dev, mem[i], 0, bytes[i], NULL), CUG_OK);
    }
    cr_assert_eq(s->be->upload(s->dev, mem[1], &x, sizeof x, NULL), CUG_OK);
    cr_assert_eq(s->be->upload(s->dev, mem[2], &one, sizeof one, NULL), CUG_OK);
    const cug_exec ex = {.device = s->dev, .workspace = mem[3], .workspace_bytes = need};
    const cug_tensor ty = cug_tensor1(mem[0], CUG_F32, 1), tx = cug_tensor1(mem[1], CUG_F32, conv ? 4 : 1),
                     tw = cug_tensor1(mem[2], CUG_F32, conv ? 4 : 1);
    cr_assert_eq(conv ? s->be->conv2d->fwd(&ty, &tx, &tw, NULL, &c, &ex)
                      : s->be->linear->fwd(&ty, &tx, &tw, NULL, &l, &ex),
                 CUG_OK, "%s", cug_error());
    cr_assert_eq(s->be->download(s->dev, &y, mem[0], sizeof y, NULL), CUG_OK);
    for (int i = 0; i < 4; i++) s->be->free(s->dev, mem[i]);
    return y;
}

Test(cuda_library, precision_reaches_the_library) {
    for (int precision = CUG_PREC_FP32; precision <= CUG_PREC_BF16; precision++) {
        op_world w;
        cug_device_options o = by_library;
        o.precision = (cug_precision)precision;
        if (!opened(&w, &o)) return;
        for (int conv = 0; conv < 2; conv++) {
            const float got = one_product(&w.side[0], conv, FINE);
            if (precision == CUG_PREC_FP32)
                cr_expect_eq(got, 1 + 0x1p-12f, "float32, conv %d: %.9g", conv, (double)got);
            else if (emulated(&w))
                cr_expect_eq(got, 1.0f, "precision %d, conv %d: %.9g", precision, conv, (double)got);
            const float large = one_product(&w.side[0], conv, BEYOND_HALF);
            cr_expect_eq(large, BEYOND_HALF, "precision %d, conv %d: %.9g", precision, conv, (double)large);
        }
        op_close(&w);
    }
}

/* The small shapes in lower precision. Whole numbers must be exact there too; reals are off by what the precision is.
 */
Test(cuda_library, shapes_in_lower_precision, .timeout = 600) {
    for (int precision = CUG_PREC_TF32; precision <= CUG_PREC_BF16; precision++)
        for (int conv = 0; conv < 2; conv++) {
            op_world w;
            cug_device_options o = by_library;
            o.precision = (cug_precision)precision;
            if (!opened(&w, &o)) return;
            w.small = 1;
            (conv ? op_test_conv2d : op_test_linear)(&w);
            int failures = op_summary(&w, conv ? "conv2d" : "linear");
            cr_expect_eq(failures, 0, "precision %d, conv %d: %d comparisons failed", precision, conv, failures);
            op_close(&w);
        }
}

/* The stand-ins' results differ from call to call where the caller allows algorithms like that, and only there. */
Test(cuda_library, nondeterministic_is_asked_for) {
    for (int allowed = 0; allowed < 2; allowed++) {
        op_world w;
        cug_device_options o = by_library;
        o.nondeterministic = allowed;
        if (!opened(&w, &o)) return;
        for (int conv = 0; conv < 2 && emulated(&w); conv++) {
            const float a = one_product(&w.side[0], conv, FINE), b = one_product(&w.side[0], conv, FINE);
            cr_expect_eq(a != b, allowed, "conv %d: %.9g and %.9g", conv, (double)a, (double)b);
        }
        op_close(&w);
    }
}

/* --- a workspace that is too small, a product nobody prepared --------------------------------------------------------
 */

Test(cuda_library, what_does_not_fit_is_refused) {
    op_world w;
    if (!opened(&w, &by_library)) return;
    const op_side *s = &w.side[0];
    const cug_linear_shape l = {4, 8, 4};
    void *mem[2];
    size_t need = s->be->linear->workspace(s->dev, &l, CUG_FWD);
    for (int i = 0; i < 2; i++) cr_assert_eq(s->be->alloc(s->dev, &mem[i], 4096 + need), CUG_OK);
    const cug_tensor y = cug_tensor2(mem[0], CUG_F32, 4, 4), x = cug_tensor2(mem[1], CUG_F32, 4, 8),
                     k = cug_tensor2((char *)mem[1] + 256, CUG_F32, 4, 8);
    if (emulated(&w)) {
        cr_assert_gt(need, (size_t)0);
        cug_exec ex = {.device = s->dev, .workspace = (char *)mem[0] + 1024, .workspace_bytes = need - 1};
        cr_expect_eq(s->be->linear->fwd(&y, &x, &k, NULL, &l, &ex), CUG_EINVAL, "%s", cug_error());
        cr_expect(strstr(cug_error(), "workspace"), "%s", cug_error());
    }
    cug_cublas *c = NULL;
    const cug_product p = cug_product_linear(&l, CUG_ROLE_FWD, CUG_PREC_FP32);
    const cug_product_args args = {.out = mem[0], .a = mem[1], .b = mem[1]};
    cr_assert_eq(cug_cublas_open(&c, 0), CUG_OK);
    cr_expect_eq(cug_cublas_run(c, &p, &args), CUG_EINVAL);
    cr_expect(strstr(cug_error(), "linear fwd fp32 N=4 I=8 O=4 was not prepared"), "%s", cug_error());
    cug_cublas_close(c);
    for (int i = 0; i < 2; i++) s->be->free(s->dev, mem[i]);
    op_close(&w);
}

/* --- auto, and its file
 * ----------------------------------------------------------------------------------------------- */

static void two_choices(op_world *w) {
    cr_expect_eq(isnan(one_product(&w->side[0], 0, FINE)), 0);
    cr_expect_eq(isnan(one_product(&w->side[0], 1, FINE)), 0);
}

/* The one file that the cache folder's choices hold. */
static void path_of_choices(char *path, size_t n) {
    glob_t found;
    const char *pattern = scratch_path("cuglyph/choices/*.txt");
    cr_assert_eq(glob(pattern, 0, NULL, &found), 0, "no %s", pattern);
    cr_expect_eq(found.gl_pathc, (size_t)1);
    snprintf(path, n, "%s", found.gl_pathv[0]);
    globfree(&found);
}

Test(cuda_library, auto_times_once_and_remembers, .timeout = 120) {
    const cug_device_options automatic = {.conv = CUG_CHOOSE_AUTO, .gemm = CUG_CHOOSE_AUTO};
    op_world w;
    char path[PATH_MAX];
    cug_choice_file f;
    setenv("XDG_CACHE_HOME", scratch_make(), 1);
    if (!opened(&w, &automatic)) return;
    two_choices(&w);
    const cug_decision *d = cug_choose_at(w.side[0].dev, 0);
    cr_assert(d && d->own_us > 0 && d->library_us > 0, "both were timed");
    cr_expect_eq(d->library, d->library_us < 0.98 * d->own_us);
    op_close(&w);

    path_of_choices(path, sizeof path);
    cr_assert_eq(cug_choices_read(&f, path), CUG_OK, "%s", cug_error());
    cr_assert_eq(f.n, 2);
    for (int i = 0; i < f.n; i++) { /* what no clock would have said */
        f.rows[i].library = !f.rows[i].library;
        f.rows[i].own_us = 1.5;
        f.rows[i].library_us = 2.25;
    }
    const int first = f.rows[0].library;
    cr_assert_eq(cug_choices_write(&f, path), CUG_OK);
    cr_assert(opened(&w, &automatic));
    two_choices(&w);
    d = cug_choose_at(w.side[0].dev, 0);
    cr_expect(d && d->library == first && d->own_us == 1.5 && d->library_us == 2.25, "the file is obeyed");
    op_close(&w);
    cug_choices_free(&f);

    cr_assert_eq(cug_choices_read(&f, path), CUG_OK); /* the same rows, of another machine */
    snprintf(f.machine, sizeof f.machine, "somebody else's GPU");
    cr_assert_eq(cug_choices_write(&f, path), CUG_OK);
    cug_choices_free(&f);
    cr_assert(opened(&w, &automatic));
    cr_expect(strstr(w.side[0].be->describe(w.side[0].dev), "of another machine"), "%s",
              w.side[0].be->describe(w.side[0].dev));
    two_choices(&w);
    d = cug_choose_at(w.side[0].dev, 0);
    cr_expect(d && d->own_us != 1.5, "the other machine's row was taken");
    op_close(&w);

    static const char broken[] = "cuglyph-choices 1\nmachine of somebody else\nnonsense\n";
    file_write(path, broken, sizeof broken - 1);
    cr_assert(opened(&w, &automatic));
    cr_expect(strstr(w.side[0].be->describe(w.side[0].dev), "file of choices ignored"), "%s",
              w.side[0].be->describe(w.side[0].dev));
    two_choices(&w);
    op_close(&w);
    cr_expect_eq(cug_choices_read(&f, path), CUG_OK, "the broken file was replaced: %s", cug_error());
    cr_expect_eq(f.n, 2);
    cug_choices_free(&f);
    scratch_remove();
}

/* conv 3x3 to 4 filters, ReLU, 2x2 maxima. */
static cug_conv_block_shape a_block(int stride) {
    cug_conv_block_shape s = {
        .conv = {.N = 1, .H = 12, .W = 12, .C = 1, .K = 4, .R = 3, .S = 3}, .act = CUG_ACT_RELU, .has_pool = 1};
    s.conv.stride_h = s.conv.stride_w = stride;
    cr_assert_eq(cug_conv2d_shape_init(&s.conv), CUG_OK);
    s.pool =
        (cug_pool2d_shape){.N = 1, .H = s.conv.P, .W = s.conv.Q, .C = 4, .R = 2, .S = 2, .stride_h = 2, .stride_w = 2};
    cr_assert_eq(cug_pool2d_shape_init(&s.pool), CUG_OK);
    return s;
}

/* A block that would hide the convolution from its library runs apart; one the library refuses stays whole. */
Test(cuda_library, blocks_by_name) {
    op_world w;
    if (!opened(&w, &by_library)) return;
    const cug_conv_block_shape s = a_block(1), refused = a_block(4);
    const op_side *side = &w.side[0];
    if (emulated(&w)) {
        cr_expect_eq(side->be->conv_block->wanted(side->dev, &s), 0);
        cr_expect_eq(side->be->conv_block->wanted(side->dev, &refused), 1);
    }
    cr_expect_eq(side->be->conv_block->wanted(NULL, &s), 1);
    op_close(&w);
    cr_assert(opened(&w, &(cug_device_options){0}));
    cr_expect_eq(w.side[0].be->conv_block->wanted(w.side[0].dev, &s), 1);
    op_close(&w);
}

/* With auto a block is timed as a whole, where the library's convolution was the faster one. */
Test(cuda_library, blocks_by_time) {
    op_world w;
    cug_choice_file f;
    char path[PATH_MAX];
    const cug_device_options automatic = {.conv = CUG_CHOOSE_AUTO};
    const cug_conv_block_shape s = a_block(1);
    setenv("XDG_CACHE_HOME", scratch_make(), 1);
    if (!opened(&w, &automatic)) return;
    (void)w.side[0].be->conv_block->wanted(w.side[0].dev, &s);
    op_close(&w);
    path_of_choices(path, sizeof path);
    cr_assert_eq(cug_choices_read(&f, path), CUG_OK);
    for (int i = 0; i < f.n; i++) f.rows[i].library = 1;
    while (f.n > 3) f.n--; /* the block itself is to be timed now */
    cr_assert_eq(cug_choices_write(&f, path), CUG_OK);
    cug_choices_free(&f);
    cr_assert(opened(&w, &automatic));
    const int whole = w.side[0].be->conv_block->wanted(w.side[0].dev, &s);
    cr_assert_eq(cug_choices_read(&f, path), CUG_OK);
    cr_assert_eq(f.n, 4);
    cr_expect(strncmp(f.rows[3].product, "block fwd+bwd fp32 N=1 H=12", 27) == 0, "%s", f.rows[3].product);
    cr_expect(f.rows[3].own_us > 0 && f.rows[3].library_us > 0);
    cr_expect_eq(whole, !f.rows[3].library);
    f.rows[3].library = !f.rows[3].library;
    cr_assert_eq(cug_choices_write(&f, path), CUG_OK);
    op_close(&w);
    cr_assert(opened(&w, &automatic));
    cr_expect_eq(w.side[0].be->conv_block->wanted(w.side[0].dev, &s), !f.rows[3].library, "the file is obeyed");
    op_close(&w);
    cug_choices_free(&f);
    scratch_remove();
}

/* --- without the libraries
 * -------------------------------------------------------------------------------------------- */

static void *nothing(const char *function) {
    (void)function;
    return NULL;
}

Test(cuda_library, missing_is_said_or_done_without) {
    const cug_backend *cuda = cug_backend_find("cuda");
    op_world w;
    if (!opened(&w, &(cug_device_options){0}) || !emulated(&w)) return;
    op_close(&w);
    cug_library_source(nothing);
    cug_device *dev = (cug_device *)1;
    cr_expect_eq(cuda->open(&dev, &(cug_device_options){.conv = CUG_CHOOSE_LIBRARY}), CUG_ENOENT);
    cr_expect(!dev && strncmp(cug_error(), "cuDNN: ", 7) == 0 && strstr(cug_error(), "install"), "%s", cug_error());
    cr_expect_eq(cuda->open(&dev, &(cug_device_options){.gemm = CUG_CHOOSE_LIBRARY}), CUG_ENOENT);
    cr_expect(!dev && strncmp(cug_error(), "cuBLASLt: ", 10) == 0, "%s", cug_error());
    cr_assert_eq(cuda->open(&dev, &(cug_device_options){.conv = CUG_CHOOSE_AUTO, .gemm = CUG_CHOOSE_AUTO}), CUG_OK);
    cr_expect(strstr(cuda->describe(dev), "conv auto: own kernels, for cuDNN"), "%s", cuda->describe(dev));
    cug_linear_shape l = {4, 8, 4};
    (void)cuda->linear->workspace(dev, &l, CUG_FWD);
    cr_expect_null(cug_choose_at(dev, 0), "there was nothing to settle");
    cuda->close(dev);
}

/* A call that fails while running comes back with its name; in a process of its own, as every test is. */
static void one_call_fails(const char *call, int conv) {
    op_world w;
    char fault[64];
    snprintf(fault, sizeof fault, "%s:1", call);
    setenv("EMU_FAIL", fault, 1);
    if (!opened(&w, &by_library)) return;
    const op_side *s = &w.side[0];
    const cug_linear_shape l = {1, 1, 1};
    cug_conv2d_shape c = {.N = 1, .H = 2, .W = 2, .C = 1, .K = 1, .R = 2, .S = 2, .stride_h = 1, .stride_w = 1};
    void *mem = NULL;
    cr_assert_eq(cug_conv2d_shape_init(&c), CUG_OK);
    const size_t need =
        conv ? s->be->conv2d->workspace(s->dev, &c, CUG_FWD) : s->be->linear->workspace(s->dev, &l, CUG_FWD);
    cr_assert_eq(s->be->alloc(s->dev, &mem, 768 + need), CUG_OK);
    char *at = mem;
    const cug_tensor y = cug_tensor1(at, CUG_F32, 1), x = cug_tensor1(at + 256, CUG_F32, conv ? 4 : 1),
                     k = cug_tensor1(at + 512, CUG_F32, conv ? 4 : 1);
    const cug_exec ex = {.device = s->dev, .workspace = at + 768, .workspace_bytes = need};
    if (emulated(&w)) {
        cr_expect_eq(conv ? s->be->conv2d->fwd(&y, &x, &k, NULL, &c, &ex)
                          : s->be->linear->fwd(&y, &x, &k, NULL, &l, &ex),
                     CUG_ECUDA);
        cr_expect_eq(strncmp(cug_error(), call, strlen(call)), 0, "%s", cug_error());
    }
    s->be->free(s->dev, mem);
    op_close(&w);
}

Test(cuda_library, a_failed_matmul_is_told) { one_call_fails("cublasLtMatmul", 0); }
Test(cuda_library, a_failed_execution_is_told) { one_call_fails("cudnnBackendExecute", 1); }

/* The emulator ends a process that keeps handles, descriptors or memory with status 70; only one of its own shows that
 * here. */
Test(cuda_library, everything_is_given_back) {
    int status = 0;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        op_world w;
        if (!opened(&w, &by_library)) exit(0);
        (void)one_product(&w.side[0], 0, FINE);
        (void)one_product(&w.side[0], 1, FINE);
        op_close(&w);
        exit(0);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

/* cuBLASLt itself, where it is: every function is there; without a GPU its handle is refused in one line. */
Test(cuda_library, the_library_itself_opens) {
    const cug_cublas_api *api;
    cug_cublas *c = NULL;
    size_t version;
    op_world w;
    if (opened(&w, &(cug_device_options){0})) {
        op_close(&w);
        return;
    }
    if (cug_library_cublas(&api, &version) != CUG_OK) cr_skip_test("%s", cug_error());
    cr_expect_geq(version, (size_t)120000);
    cr_expect_eq(cug_cublas_open(&c, 0), CUG_ECUDA);
    cr_expect(!c && strncmp(cug_error(), "cublasLtCreate: ", 16) == 0, "%s", cug_error());
}

/* The environment names what is wrong with it; asked anew after each. */
Test(cuda_library, named_by_the_environment) {
    const cug_cudnn_api *dnn;
    const cug_cublas_api *lt;
    size_t version;
    cug_library_source(NULL);
    setenv("CUGLYPH_CUDNN", "/nowhere/libcudnn.so.9", 1);
    setenv("CUGLYPH_CUBLAS", "/", 1);
    cr_expect_eq(cug_library_cudnn(&dnn, &version), CUG_ENOENT);
    cr_expect(!dnn && strstr(cug_error(), "/nowhere/libcudnn.so.9"), "%s", cug_error());
    cr_expect_eq(cug_library_cublas(&lt, &version), CUG_ENOENT);
    cr_expect(!lt && strstr(cug_error(), "/: is a folder without the library"), "%s", cug_error());
    cug_library_source(NULL);
    setenv("CUGLYPH_CUDNN", "/proc/self/exe", 1);
    cr_expect_eq(cug_library_cudnn(&dnn, &version), CUG_ENOENT, "a program is no library");
    cr_expect(strstr(cug_error(), "/proc/self/exe: ") && !strchr(cug_error(), '\n'), "%s", cug_error());
}
#endif
#endif
