/* main.c - climbs the ladders (ladder.h): every rung is checked, then timed, and printed with what it gained. Where the
 * vendor's library is there (library.h), it is the last rung, and each one below shows library time / its own time, in
 * the rung's precision.
 *   ladder [--small] [--times N] [--json FILE]
 *     --small    toy shapes; for the emulator and for a first look
 *     --times N  samples of a timing, the median is shown [15]; 0: checks alone, and no library engines that are not
 *                deterministic: they are there for their time, and the emulator's stand-ins disturb what they give
 * Exit status 1 when a rung is wrong. Roofline: the lesser of the device's nominal float32 (or tensor-core) rate and
 * its nominal memory bandwidth times the product's arithmetic intensity, each tensor moved once. */
#include "library.h"
#include <cuda_runtime_api.h>
#include <cuglyph/backend.h>
#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LARGE 2e9 /* multiply-adds from which rungs are compared with the production rung, not with the reference */

typedef struct options {
    int small, times;
    const char *json;
} options;

/* One product: a ladder, extents, and its three tensors on the host. */
typedef struct product {
    const ladder *ladder;
    const char *name;
    ladder_task task;
    size_t n_out, n_a, n_b;
    double macs;
    float *a, *b, *got;
    double *want, *terms; /* the result, and what it is of the factors' absolute values */
    float *dev_out, *dev_a, *dev_b;
} product;

static FILE *json;
static int n_json, failures;
static int has_tensor_cores;
static double peak_fp32, peak_bytes; /* FLOP/s, bytes/s; 0: unknown */

static int cuda_ok(cudaError_t err, const char *what) {
    if (err == cudaSuccess) return 1;
    fprintf(stderr, "ladder: %s: %s\n", what, cudaGetErrorString(err));
    failures++;
    return 0;
}

static int status_ok(cug_status st, const char *what) {
    if (st == CUG_OK) return 1;
    fprintf(stderr, "ladder: %s: %s\n", what, cug_error());
    failures++;
    return 0;
}

/* --- numbers ------------------------------------------------------------------------------------------------------ */

static uint64_t random_state = 1;

static float draw(void) { /* -1 .. 1, 24 bits */
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (float)(random_state >> 40) * 0x1p-23f - 1;
}

static float rounded_to(float v, int bits, int ties_away) { /* keeps `bits` of the 23 after the point; v is finite */
    uint32_t u, drop = 23u - (uint32_t)bits, half = 1u << (drop - 1);
    memcpy(&u, &v, sizeof u);
    u += ties_away ? half : half - 1 + (u >> drop & 1);
    u &= ~((1u << drop) - 1);
    memcpy(&v, &u, sizeof v);
    return v;
}

/* As the kernels round factors (docs/NUMERICS.md). */
static float factor(float v, cug_precision p) {
    if (p == CUG_PREC_TF32) return rounded_to(v, 10, 1);
    return p == CUG_PREC_BF16 ? rounded_to(v, 7, 0) : v;
}

/* Poisons the output, runs, fetches. */
static int run_once(product *p, const ladder_rung *r) {
    const size_t bytes = p->n_out * sizeof(float);
    return cuda_ok(cudaMemset(p->dev_out, 255, bytes), r->name) && cuda_ok(r->run(&p->task, NULL), r->name) &&
           cuda_ok(cudaMemcpy(p->got, p->dev_out, bytes, cudaMemcpyDeviceToHost), r->name);
}

/* --- reference ---------------------------------------------------------------------------------------------------- */

/* The product of the factors, in the reference's float64. */
static cug_status reference(const product *p, double *out, double *a, double *b) {
    const cug_backend *be = &cug_backend_ref;
    const cug_conv2d_shape *s = &p->task.conv;
    const cug_linear_shape *l = &p->task.linear;
    const int fwd = p->ladder == &ladder_conv_fwd, dgrad = p->ladder == &ladder_conv_dgrad;
    cug_device *dev = NULL;
    CUG_TRY(be->open(&dev, NULL));
    cug_exec ex = {.device = dev};
    cug_status st;
    double *unread = calloc(p->n_out, sizeof *unread); /* what a gradient is of; the product does not depend on it */
    if (!unread) {
        st = cug_fail(CUG_ENOMEM, "no memory");
    } else if (p->ladder == &ladder_linear_fwd) {
        const cug_tensor y = cug_tensor2(out, CUG_F64, l->N, l->O), x = cug_tensor2(a, CUG_F64, l->N, l->I),
                         w = cug_tensor2(b, CUG_F64, l->O, l->I);
        st = be->linear->fwd(&y, &x, &w, NULL, l, &ex);
    } else {
        const cug_tensor x = cug_tensor4(fwd     ? a
                                         : dgrad ? unread
                                                 : b,
                                         CUG_F64, s->N, s->H, s->W, s->C),
                         w = cug_tensor4(fwd || dgrad ? b : unread, CUG_F64, s->K, s->R, s->S, s->C),
                         y = cug_tensor4(fwd ? out : a, CUG_F64, s->N, s->P, s->Q, s->K);
        const cug_tensor dx = cug_tensor4(out, CUG_F64, s->N, s->H, s->W, s->C),
                         dw = cug_tensor4(out, CUG_F64, s->K, s->R, s->S, s->C);
        st = fwd ? be->conv2d->fwd(&y, &x, &w, NULL, s, &ex)
                 : be->conv2d->bwd(dgrad ? &dx : NULL, dgrad ? NULL : &dw, NULL, &y, &x, &w, s, 0, &ex);
    }
    free(unread);
    be->close(dev);
    return st;
}

/* want and terms, of factors rounded to `precision`. */
static int by_reference(product *p, cug_precision precision) {
    double *a = malloc(p->n_a * sizeof *a), *b = malloc(p->n_b * sizeof *b);
    int ok = a && b;
    for (int absolute = 0; ok && absolute < 2; absolute++) {
        for (size_t i = 0; i < p->n_a; i++) a[i] = (double)factor(p->a[i], precision);
        for (size_t i = 0; i < p->n_b; i++) b[i] = (double)factor(p->b[i], precision);
        for (size_t i = 0; absolute && i < p->n_a; i++) a[i] = fabs(a[i]);
        for (size_t i = 0; absolute && i < p->n_b; i++) b[i] = fabs(b[i]);
        ok = status_ok(reference(p, absolute ? p->terms : p->want, a, b), p->name);
    }
    free(a);
    free(b);
    return ok;
}

/* The same of the production rung, which was held against the reference on smaller batches: float64 on the host would
 * take minutes. */
static int by_production(product *p, cug_precision precision) {
    const ladder_rung *r = p->ladder->rungs;
    while (r->name && !(r->production && r->precision == precision)) r++;
    int ok = r->name != NULL;
    for (int absolute = 1; ok && absolute >= 0; absolute--) {
        float *host[] = {p->a, p->b}, *device[] = {p->dev_a, p->dev_b};
        const size_t n[] = {p->n_a, p->n_b};
        for (int f = 0; ok && f < 2; f++) {
            float *copy = malloc(n[f] * sizeof *copy);
            for (size_t i = 0; copy && i < n[f]; i++) copy[i] = absolute ? fabsf(host[f][i]) : host[f][i];
            ok = copy && cuda_ok(cudaMemcpy(device[f], copy, n[f] * sizeof *copy, cudaMemcpyHostToDevice), r->name);
            free(copy);
        }
        ok = ok && run_once(p, r);
        for (size_t i = 0; ok && i < p->n_out; i++) (absolute ? p->terms : p->want)[i] = (double)p->got[i];
    }
    return ok;
}

/* The largest |got - want| as a share of 4 u terms, u = 2^-24; a NaN is infinitely wrong. */
static double worst(const product *p) {
    double most = 0;
    for (size_t i = 0; i < p->n_out; i++) {
        const double off = fabs((double)p->got[i] - p->want[i]), allowed = 4 * 0x1p-24 * p->terms[i] + DBL_MIN;
        if (!(off / allowed <= most)) most = isnan(off) ? INFINITY : off / allowed;
    }
    return most;
}

/* --- one rung ----------------------------------------------------------------------------------------------------- */

static int by_size(const void *a, const void *b) {
    const float x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}

/* Median milliseconds of a launch: samples of about 1 ms, between two events. -1 on an error. */
static double time_rung(const product *p, const ladder_rung *r, int times) {
    cudaEvent_t start = NULL, stop = NULL;
    float ms[101];
    int calls = 1, n = 0, ok = cuda_ok(cudaEventCreate(&start), "event") && cuda_ok(cudaEventCreate(&stop), "event");
    if (times > 101) times = 101;
    for (int i = -2; ok && i < times; i++) { /* the first loads the kernel, the second says how many make a sample */
        ok = cuda_ok(cudaEventRecord(start, NULL), r->name);
        for (int c = 0; ok && c < calls; c++) ok = cuda_ok(r->run(&p->task, NULL), r->name);
        ok = ok && cuda_ok(cudaEventRecord(stop, NULL), r->name) && cuda_ok(cudaEventSynchronize(stop), r->name);
        float t = 0;
        ok = ok && cuda_ok(cudaEventElapsedTime(&t, start, stop), r->name);
        if (i == -1) calls = t > 0.005f ? (int)(1 / t) + 1 : 200;
        if (i >= 0) ms[n++] = t / (float)calls;
    }
    if (start) (void)cudaEventDestroy(start);
    if (stop) (void)cudaEventDestroy(stop);
    if (!ok || !n) return -1;
    qsort(ms, (size_t)n, sizeof *ms, by_size);
    return (double)ms[n / 2];
}

/* The first attainable seconds: nominal arithmetic rate and bandwidth, each tensor moved once. 0: unknown. */
static double roofline_seconds(const product *p, cug_precision precision) {
    static const double over_fp32[] = {1, 8,
                                       16}; /* dense tensor-core rates of sm_80 to sm_90 over their float32 rate */
    if (peak_fp32 <= 0 || peak_bytes <= 0) return 0;
    const double compute = 2 * p->macs / (peak_fp32 * over_fp32[precision]);
    const double memory = 4 * (double)(p->n_out + p->n_a + p->n_b) / peak_bytes;
    return compute > memory ? compute : memory;
}

/* What became of a rung. */
typedef struct outcome {
    int ran, right;
    double off, ms; /* in 4 u of the terms; -1: not timed */
} outcome;

/* A library's, by whether engines are welcome that are not deterministic. */
typedef struct rival {
    ladder_plan plan[2];
    outcome got[2];
} rival;

static outcome climb_one(product *p, const ladder_rung *r, double product_error, const options *o) {
    outcome got = {.ms = -1};
    if (!run_once(p, r)) return got;
    /* 8 u and 16 u, or the library's own rounding: tests/support/op_check.h */
    const double allowed = r->precision == CUG_PREC_FP32 || product_error > 0 ? 2 : 4;
    got.ran = 1;
    got.off = worst(p);
    got.right = got.off <= allowed + product_error / (4 * 0x1p-24);
    failures += !got.right;
    if (o->times) got.ms = time_rung(p, r, o->times);
    return got;
}

static void print_json(const product *p, const ladder_rung *r, const outcome *got, const rival *against, int any) {
    static const char *const names[] = {"library", "library_any"};
    fprintf(json, "%s\n  {\"ladder\": \"%s\", \"shape\": \"%s\", \"rung\": \"%s\", \"precision\": \"%s\"",
            n_json++ ? "," : "", p->ladder->name, p->name, r->name, cug_precision_name(r->precision));
    fprintf(json, ", \"right\": %s, \"worst\": %.4g", got->right ? "true" : "false",
            isfinite(got->off) ? got->off : 1e30);
    if (got->ms > 0) fprintf(json, ", \"us\": %.3f, \"gflops\": %.2f", got->ms * 1e3, 2 * p->macs / got->ms * 1e-6);
    for (int i = 0; against && got->ms > 0 && i < 2; i++)
        if (against->got[i].ms > 0)
            fprintf(json, ", \"%s_us\": %.3f, \"over_%s\": %.4f", names[i], against->got[i].ms * 1e3, names[i],
                    against->got[i].ms / got->ms);
    if (!against)
        fprintf(json, ", \"version\": \"%.*s\", \"deterministic\": %s", (int)strcspn(r->idea, ","), r->idea,
                any ? "false" : "true");
    fprintf(json, ", \"production\": %s}", r->production ? "true" : "false");
}

/* against: NULL for a library's own line, of which `any` says which. */
static void print_rung(const product *p, const ladder_rung *r, const outcome *got, const rival *against, int any,
                       double *below) {
    static const char *const unit[] = {"4u", "2^-9", "2^-6"}; /* 2 * 2^-10 and 2 * 2^-7: what a library may round off */
    static const double size[] = {1, 0x1p-9 / 0x1p-22, 0x1p-6 / 0x1p-22};
    const cug_precision of = against ? CUG_PREC_FP32 : r->precision;
    printf("  %-11s", r->name);
    if (got->ms > 0) {
        const double roof = roofline_seconds(p, r->precision) * 1e3;
        printf(" %9.2f us %9.1f GFLOP/s", got->ms * 1e3, 2 * p->macs / got->ms * 1e-6);
        if (roof > 0) printf("  %5.1f %% of roofline", 100 * roof / got->ms);
        if (against && *below > 0) printf("  %5.2fx", *below / got->ms);
        for (int i = 0; against && i < 2; i++)
            if (against->got[i].ms > 0)
                printf("  %5.2fx %s", against->got[i].ms / got->ms, i ? "any engine" : "library");
        *below = got->ms;
    }
    printf("  %s (%.2f of %s)  %s%s\n", got->right ? "right" : "WRONG", got->off / size[of], unit[of], r->idea,
           r->production ? "  [production]" : "");
    if (json) print_json(p, r, got, against, any);
}

/* The library's plans in one precision; want and terms are those of factors that nobody rounded. */
static void climb_library(product *p, cug_precision precision, rival *out, const options *o) {
    for (int any = 0; any < (o->times ? 2 : 1); any++) {
        ladder_plan *plan = &out->plan[any];
        const cug_status made = ladder_plan_make(plan, p->ladder, &p->task, precision, any);
        if (status_ok(made, plan->rung.name) && plan->rung.run) {
            p->task.plan = plan;
            out->got[any] = climb_one(p, &plan->rung, plan->product_error, o);
            p->task.plan = NULL;
        }
        ladder_plan_drop(plan);
    }
}

static void print_library(const product *p, const rival *v) {
    for (int any = 0; any < 2; any++) {
        const ladder_rung *r = &v->plan[any].rung;
        double below = 0;
        if (v->got[any].ran)
            print_rung(p, r, &v->got[any], NULL, any, &below);
        else if (r->idea && *r->idea && !r->run)
            printf("  %-11s %s\n", r->name, r->idea);
    }
}

/* --- one product -------------------------------------------------------------------------------------------------- */

static size_t most_workspace(const product *p) {
    size_t most = 256;
    const cug_conv2d_shape *s = &p->task.conv;
    if (p->ladder == &ladder_conv_fwd)
        most = (size_t)s->N * (size_t)s->P * (size_t)s->Q * (size_t)(s->R * s->S * s->C) * sizeof(float); /* unrolled */
    for (int i = CUG_PREC_FP32; i <= CUG_PREC_BF16; i++) {
        const cug_precision precision = (cug_precision)i;
        size_t need = p->ladder == &ladder_linear_fwd ? cug_cuda_linear_fwd_workspace(&p->task.linear, precision)
                      : p->ladder == &ladder_conv_fwd ? cug_cuda_conv2d_fwd_workspace(s, precision)
                                                      : cug_cuda_conv2d_bwd_workspace(s, precision);
        if (need > most) most = need;
    }
    return most;
}

static int allocate(product *p) {
    p->a = malloc(p->n_a * sizeof *p->a);
    p->b = malloc(p->n_b * sizeof *p->b);
    p->got = malloc(p->n_out * sizeof *p->got);
    p->want = malloc(p->n_out * sizeof *p->want);
    p->terms = malloc(p->n_out * sizeof *p->terms);
    if (!p->a || !p->b || !p->got || !p->want || !p->terms) {
        fprintf(stderr, "ladder: %s: no memory\n", p->name);
        failures++;
        return 0;
    }
    for (size_t i = 0; i < p->n_a; i++) p->a[i] = draw();
    for (size_t i = 0; i < p->n_b; i++) p->b[i] = draw();
    int ok = cuda_ok(cudaMalloc((void **)&p->dev_out, p->n_out * sizeof(float)), "memory") &&
             cuda_ok(cudaMalloc((void **)&p->dev_a, p->n_a * sizeof(float)), "memory") &&
             cuda_ok(cudaMalloc((void **)&p->dev_b, p->n_b * sizeof(float)), "memory") &&
             cuda_ok(cudaMalloc(&p->task.workspace, most_workspace(p)), "memory") &&
             cuda_ok(cudaMemcpy(p->dev_a, p->a, p->n_a * sizeof(float), cudaMemcpyHostToDevice), "copy") &&
             cuda_ok(cudaMemcpy(p->dev_b, p->b, p->n_b * sizeof(float), cudaMemcpyHostToDevice), "copy");
    p->task.out = p->dev_out;
    p->task.a = p->dev_a;
    p->task.b = p->dev_b;
    return ok;
}

static void release(product *p) {
    void *device[] = {p->dev_out, p->dev_a, p->dev_b, p->task.workspace},
         *host[] = {p->a, p->b, p->got, p->want, p->terms};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++) (void)cudaFree(device[i]);
    for (size_t i = 0; i < sizeof host / sizeof *host; i++) free(host[i]);
}

/* Everything is timed before a line is printed: a rung's line has the library's time too. */
static void climb(product *p, const options *o) {
    const ladder_rung *const rungs = p->ladder->rungs;
    const int last = has_tensor_cores ? CUG_PREC_BF16 : CUG_PREC_FP32;
    outcome got[LADDER_RUNGS] = {0};
    rival library[CUG_PREC_BF16 + 1] = {0};
    double below = 0;
    printf("%s, %s\n", p->ladder->name, p->name);
    int ok = allocate(p);
    for (int i = CUG_PREC_FP32; ok && i <= last; i++) {
        ok = (p->macs > LARGE ? by_production : by_reference)(p, (cug_precision)i);
        for (int n = 0; ok && rungs[n].name; n++)
            if ((int)rungs[n].precision == i) got[n] = climb_one(p, &rungs[n], 0, o);
        for (int of = CUG_PREC_FP32; ok && i == CUG_PREC_FP32 && of <= last; of++)
            climb_library(p, (cug_precision)of, &library[of], o);
    }
    for (int n = 0; rungs[n].name; n++)
        if (got[n].ran) print_rung(p, &rungs[n], &got[n], &library[rungs[n].precision], 0, &below);
    for (int i = CUG_PREC_FP32; i <= last; i++) print_library(p, &library[i]);
    release(p);
}

static void climb_linear(const char *model, int N, int I, int O, const options *o) {
    char name[96];
    snprintf(name, sizeof name, "%s: %d x %d -> %d", model, N, I, O);
    product p = {.ladder = &ladder_linear_fwd, .name = name, .task.linear = {.N = N, .I = I, .O = O}};
    p.n_out = (size_t)N * (size_t)O;
    p.n_a = (size_t)N * (size_t)I;
    p.n_b = (size_t)O * (size_t)I;
    p.macs = (double)N * I * O;
    climb(&p, o);
}

static void climb_conv(const char *model, cug_conv2d_shape s, const options *o) {
    static const ladder *const all[] = {&ladder_conv_fwd, &ladder_conv_dgrad, &ladder_conv_wgrad};
    char name[96];
    if (!status_ok(cug_conv2d_shape_init(&s), model)) return;
    snprintf(name, sizeof name, "%s: %d x %dx%dx%d -> %d, %dx%d", model, s.N, s.H, s.W, s.C, s.K, s.R, s.S);
    const size_t x = (size_t)s.N * (size_t)(s.H * s.W * s.C), y = (size_t)s.N * (size_t)(s.P * s.Q * s.K),
                 w = (size_t)s.K * (size_t)(s.R * s.S * s.C);
    for (int i = 0; i < 3; i++) {
        product p = {.ladder = all[i], .name = name, .task.conv = s, .macs = (double)y * s.R * s.S * s.C};
        p.n_out = i == 0 ? y : i == 1 ? x : w;
        p.n_a = i == 0 ? x : y;
        p.n_b = i == 2 ? x : w;
        climb(&p, o);
    }
}

static cug_conv2d_shape square(int N, int side, int C, int K, int taps) {
    return (cug_conv2d_shape){
        .N = N, .H = side, .W = side, .C = C, .K = K, .R = taps, .S = taps, .stride_h = 1, .stride_w = 1};
}

/* --- the device --------------------------------------------------------------------------------------------------- */

/* Nominal rates; left at 0 where the driver does not tell clocks. */
static int look_at_device(void) {
    int count = 0, sms = 0, khz = 0, memory_khz = 0, bits = 0, major = 0, minor = 0;
    struct cudaDeviceProp prop;
    if (cudaGetDeviceCount(&count) != cudaSuccess || !count) {
        fprintf(stderr, "ladder: no CUDA device; on a machine without one: make ladder-emulated\n");
        return 0;
    }
    if (!cuda_ok(cudaGetDeviceProperties(&prop, 0), "device")) return 0;
    has_tensor_cores = prop.major >= 8; /* with TF32 and bfloat16 */
    major = prop.major, minor = prop.minor, sms = prop.multiProcessorCount;
    (void)cudaDeviceGetAttribute(&khz, cudaDevAttrClockRate, 0);
    (void)cudaDeviceGetAttribute(&memory_khz, cudaDevAttrMemoryClockRate, 0);
    (void)cudaDeviceGetAttribute(&bits, cudaDevAttrGlobalMemoryBusWidth, 0);
    (void)cudaGetLastError();
    const int lanes = major == 7 || (major == 8 && minor == 0) ? 64 : 128;
    peak_fp32 = 2.0 * lanes * sms * khz * 1e3;
    peak_bytes = 2.0 * memory_khz * 1e3 * bits / 8;
    printf("%s, sm_%d%d", prop.name, major, minor);
    if (peak_fp32 > 0 && peak_bytes > 0)
        printf(", nominally %.1f TFLOP/s float32, %.0f GB/s", peak_fp32 * 1e-12, peak_bytes * 1e-9);
    puts("");
    return 1;
}

static int parse(int argc, char **argv, options *o) {
    for (int i = 1; i < argc; i++) {
        char *end = NULL;
        if (strcmp(argv[i], "--small") == 0) {
            o->small = 1;
        } else if (strcmp(argv[i], "--times") == 0 && i + 1 < argc) {
            const long n = strtol(argv[++i], &end, 10);
            if (*end || end == argv[i] || n < 0 || n > 101) {
                fprintf(stderr, "ladder: --times takes a number from 0 to 101, not '%s'\n", argv[i]);
                return 0;
            }
            o->times = (int)n;
        } else if (strcmp(argv[i], "--json") == 0 && i + 1 < argc) {
            o->json = argv[++i];
        } else {
            fprintf(stderr, "usage: ladder [--small] [--times N] [--json FILE]\n");
            return 0;
        }
    }
    return 1;
}

int main(int argc, char **argv) {
    options o = {.times = 15};
    if (!parse(argc, argv, &o)) return 2;
    if (!look_at_device()) return 1;
    if (o.json && !(json = fopen(o.json, "w"))) {
        perror(o.json);
        return 1;
    }
    if (json) fputs("[", json);
    ladder_libraries_open();
    if (o.small) {
        climb_linear("ragged", 37, 45, 33, &o);
        climb_linear("long sums", 5, 300, 16, &o);
        static const cug_conv2d_shape few = {
            .N = 2, .H = 9, .W = 8, .C = 1, .K = 8, .R = 3, .S = 3, .stride_h = 1, .stride_w = 1};
        static const cug_conv2d_shape strided = {.N = 2,
                                                 .H = 7,
                                                 .W = 8,
                                                 .C = 6,
                                                 .K = 10,
                                                 .R = 3,
                                                 .S = 2,
                                                 .stride_h = 2,
                                                 .stride_w = 1,
                                                 .pad_top = 1,
                                                 .pad_left = 1};
        climb_conv("few channels", few, &o);
        climb_conv("strided", strided, &o);
    } else {
        static const int batches[] = {0, 4096}; /* 0: the training batch */
        for (int i = 0; i < 2; i++) {
            const int b128 = batches[i] ? batches[i] : 128, b256 = batches[i] ? batches[i] : 256;
            climb_linear("cnn-d fc1", b128, 1600, 128, &o);
            climb_linear("mlp fc1", b128, 784, 512, &o);
            climb_linear("sprint fc1", b256, 800, 256, &o);
            climb_conv("cnn-d conv1", square(b128, 28, 1, 32, 3), &o);
            climb_conv("cnn-d conv2", square(b128, 13, 32, 64, 3), &o);
            climb_conv("sprint conv1", square(b256, 28, 1, 24, 5), &o);
            climb_conv("sprint conv2", square(b256, 12, 24, 32, 3), &o);
        }
    }
    ladder_libraries_close();
    if (json) {
        fputs("\n]\n", json);
        if (fclose(json) != 0) failures++;
    }
    printf("%s\n", failures ? "some rungs are wrong" : "every rung is right");
    return failures != 0;
}
