/* schedule.c - learning rates as functions of the step number. */
#include <cuglyph/schedule.h>
#include <math.h>
#include <string.h>

#define PI 3.14159265358979323846

static const char *const names[] = {
    [CUG_SCHED_CONSTANT] = "constant",
    [CUG_SCHED_STEP] = "step",
    [CUG_SCHED_COSINE] = "cosine",
    [CUG_SCHED_ONECYCLE] = "onecycle",
    [CUG_SCHED_ONECYCLE_LINEAR] = "onecycle-linear",
};
#define KINDS ((int)(sizeof names / sizeof *names))

const char *cug_schedule_name(cug_schedule_kind k) { return (int)k >= 0 && (int)k < KINDS ? names[k] : "?"; }

int cug_schedule_find(const char *name) {
    for (int i = 0; name && i < KINDS; i++)
        if (!strcmp(name, names[i])) return i;
    return -1;
}

void cug_schedule_defaults(cug_schedule *s, cug_schedule_kind kind) {
    *s = (cug_schedule){.kind = kind, .gamma = 0.1, .step_epochs = 1, .pct = 0.3, .div = 25, .final_div = 1e4};
}

static int onecycle(const cug_schedule *s) {
    return s->kind == CUG_SCHED_ONECYCLE || s->kind == CUG_SCHED_ONECYCLE_LINEAR;
}

static cug_status check_onecycle(const cug_schedule *s) {
    if (!(s->pct >= 0 && s->pct <= 1)) return cug_fail(CUG_EINVAL, "schedule: pct must lie in [0,1], got %g", s->pct);
    if (!(s->div > 0 && isfinite(s->div)) || !(s->final_div > 0 && isfinite(s->final_div)))
        return cug_fail(CUG_EINVAL, "schedule: div and final_div must be above 0, got %g and %g", s->div, s->final_div);
    if (s->warmup_steps)
        return cug_fail(CUG_EINVAL, "schedule: %s brings its own warm-up; leave warmup_steps at 0", names[s->kind]);
    return CUG_OK;
}

cug_status cug_schedule_check(const cug_schedule *s) {
    if (!s) return cug_fail(CUG_EINVAL, "schedule: NULL");
    if ((int)s->kind < 0 || (int)s->kind >= KINDS)
        return cug_fail(CUG_EINVAL, "schedule: unknown kind %d", (int)s->kind);
    if (!(s->lr > 0 && isfinite(s->lr)))
        return cug_fail(CUG_EINVAL, "schedule: the learning rate must be above 0, got %g", s->lr);
    if (!s->total_steps && (s->kind == CUG_SCHED_COSINE || onecycle(s)))
        return cug_fail(CUG_EINVAL, "schedule: %s needs the number of steps", names[s->kind]);
    if (s->total_steps && s->warmup_steps > s->total_steps)
        return cug_fail(CUG_EINVAL, "schedule: a warm-up of %llu steps is longer than the run of %llu",
                        (unsigned long long)s->warmup_steps, (unsigned long long)s->total_steps);
    if (s->kind == CUG_SCHED_COSINE && !(s->min_lr >= 0 && s->min_lr <= s->lr))
        return cug_fail(CUG_EINVAL, "schedule: min_lr must lie in 0 to lr (%g), got %g", s->lr, s->min_lr);
    if (s->kind == CUG_SCHED_STEP && !(s->gamma > 0 && s->gamma <= 1))
        return cug_fail(CUG_EINVAL, "schedule: gamma must lie in (0,1], got %g", s->gamma);
    if (s->kind == CUG_SCHED_STEP && (s->step_epochs < 1 || !s->steps_per_epoch))
        return cug_fail(CUG_EINVAL, "schedule: step needs step_epochs and steps_per_epoch of at least 1");
    return onecycle(s) ? check_onecycle(s) : CUG_OK;
}

/* From a to b, at fraction f of the way. */
static double glide(int linear, double a, double b, double f) {
    return linear ? a + (b - a) * f : b + (a - b) / 2 * (1 + cos(PI * f));
}

/* Up until step pct * total - 1 (which need not be whole), then down until the last step. */
static double onecycle_lr(const cug_schedule *s, double t) {
    int linear = s->kind == CUG_SCHED_ONECYCLE_LINEAR;
    double first = s->lr / s->div, last = first / s->final_div;
    double top = s->pct * (double)s->total_steps - 1, end = (double)s->total_steps - 1;
    if (t <= top) return glide(linear, first, s->lr, top > 0 ? t / top : 1);
    return glide(linear, s->lr, last, end > top ? (t - top) / (end - top) : 1);
}

double cug_schedule_lr(const cug_schedule *s, uint64_t t) {
    if (s->total_steps && t >= s->total_steps) t = s->total_steps - 1;
    if (onecycle(s)) return onecycle_lr(s, (double)t);
    if (t < s->warmup_steps) return s->lr * (double)(t + 1) / (double)s->warmup_steps;
    switch (s->kind) {
    case CUG_SCHED_STEP: {
        uint64_t epoch = t / (s->steps_per_epoch ? s->steps_per_epoch : 1);
        uint64_t drops = epoch / (uint64_t)(s->step_epochs > 0 ? s->step_epochs : 1);
        return s->lr * pow(s->gamma, (double)drops);
    }
    case CUG_SCHED_COSINE:
        return glide(0, s->lr, s->min_lr, (double)(t - s->warmup_steps) / (double)(s->total_steps - s->warmup_steps));
    default:
        return s->lr;
    }
}
