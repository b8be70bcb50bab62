/* bench.c - the benchmark of kernels (`cuglyph bench kernels`) on this GPU: the models' layers, or the small cases,
 * each result held against the reference after timing. */
#include "bench/kernels.h"
#include "check.h"
#include <string.h>

typedef struct bench_part_run {
    gpu_check *c;
    long rows;
} bench_part_run;

static cug_status on_device(void *user, const bench_side *s, const bench_roof *r) {
    gpu_check *c = ((bench_part_run *)user)->c;
    (void)s;
    for (int p = 0; p < 3; p++)
        if (r->flops[p] > 0)
            gpu_figure(c, r->flops[p] * 1e-9, "GFLOP/s", "peak %s", cug_precision_name((cug_precision)p));
    for (int i = 0; i < BENCH_COPIES && r->copy[i].rate > 0; i++)
        gpu_figure(c, r->copy[i].rate * 1e-9, "GB/s", "copies of %zu KiB, read and write", r->copy[i].bytes >> 10);
    return CUG_OK;
}

/* Small cases are too many, and their times on an emulator of no interest. */
static cug_status on_row(void *user, const bench_row *r) {
    bench_part_run *b = user;
    b->rows++;
    if (b->c->small) return CUG_OK;
    gpu_figure(b->c, r->time.median * 1e6, "us", "%s %s %s, %s %s", r->op, r->pass, r->name, r->implementation,
               r->precision);
    if (r->roof > 0)
        gpu_figure(b->c, 100 * r->roof, "% of roofline", "%s %s %s, %s %s", r->op, r->pass, r->name, r->implementation,
                   r->precision);
    return CUG_OK;
}

static void on_note(void *user, const char *text) { fprintf(((bench_part_run *)user)->c->log, "        %s\n", text); }

void time_kernels(gpu_check *c) {
    bench_kernels_options o;
    bench_part_run b = {.c = c};
    if (!gpu_part(c, 60, "bench kernels: %s", c->small ? "small cases" : "the models' layers")) return;
    bench_kernels_defaults(&o);
    o.be = c->be;
    o.small = c->small;
    o.source = c->small ? NULL : "models";
    o.limits.samples = c->times < 10 ? c->times : 10;
    o.limits.min_time = o.limits.max_time = c->small ? 0 : 0.03;
    o.limits.sample_time = c->small ? 0 : 1e-3;
    o.limits.late = gpu_late;
    o.on_device = on_device;
    o.on_row = on_row;
    o.on_note = on_note;
    o.user = &b;
    cug_status st = bench_kernels(&o);
    if (st != CUG_OK)
        gpu_end(c, GPU_FAILED, "%s", cug_error());
    else
        gpu_end(c, GPU_OK, "%ld measured, all equal to the reference%s", b.rows,
                gpu_late() ? "; the time was over" : "");
}
