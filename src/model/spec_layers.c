/* spec_layers.c - the table of layers: what each is called, takes, builds and prints as. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "model/spec.h"

typedef struct layer_def {
    const char *word, *stem; /* stem of automatic names: conv1, conv2 ... */
    const char *usage;
    int min_args, max_args;
    const char *const *attrs; /* NULL-terminated */
    cug_status (*build)(spec_parser *p, const statement *st, int *out);
} layer_def;

const char *const spec_words[] = {
    "input",      "conv",    "maxpool",  "avgpool", "linear", "bias",     "batchnorm", "relu",
    "leaky_relu", "sigmoid", "tanh",     "silu",    "gelu",   "dropout",  "flatten",   "add",
    "concat",     "softmax", "residual", "branch",  "from",   "sequence", "loss",      (char *)0,
};

/* Gives the builder's reason its place. */
static cug_status at_line(spec_parser *p, const statement *st, cug_status s) {
    if (s == CUG_OK) return CUG_OK;
    return spec_fail(p, s, st->word.line, "%s", cug_error());
}

static cug_status print_pair(spec_parser *p, const char *key, int a, int b) {
    return a == b ? spec_print(p, " %s=%d", key, a) : spec_print(p, " %s=%dx%d", key, a, b);
}

static cug_status print_window(spec_parser *p, const window *w, int default_h, int default_w) {
    CUG_TRY(spec_print(p, " %dx%d", w->R, w->S));
    if (w->stride_h != default_h || w->stride_w != default_w)
        CUG_TRY(print_pair(p, "stride", w->stride_h, w->stride_w));
    if (w->pad == PAD_SAME) return spec_print(p, " pad=same");
    return w->pad == PAD_GIVEN ? print_pair(p, "pad", w->pad_h, w->pad_w) : CUG_OK;
}

/* bias=, init= and tie= of a layer with parameters. */
static cug_status params_of(spec_parser *p, const statement *st, param_spec *ps) {
    const token *tie = spec_attr(st, "tie");
    ps->tie = -1;
    CUG_TRY(spec_attr_bias(p, st, &ps->has_bias));
    CUG_TRY(spec_attr_init(p, st, &ps->init));
    if (!tie) return CUG_OK;
    if (spec_attr(st, "bias") || spec_attr(st, "init"))
        return spec_fail(p, CUG_ESPEC_VALUE, tie->line,
                         "tie= takes all parameters from another layer, so bias= and init= have no place here");
    CUG_TRY(spec_find_node(p, tie, &ps->tie));
    if (ps->tie < 0) return spec_fail(p, CUG_ESPEC_NAME, tie->line, "tie=input: the input has no parameters");
    return CUG_OK;
}

static cug_status print_params(spec_parser *p, const param_spec *ps) {
    if (ps->tie >= 0) return spec_print(p, " tie=%s", p->b.g->nodes[ps->tie].name);
    if (!ps->has_bias) CUG_TRY(spec_print(p, " bias=no"));
    return ps->init == CUG_INIT_AUTO ? CUG_OK : spec_print(p, " init=%s", cug_init_name(ps->init));
}

static cug_status do_conv(spec_parser *p, const statement *st, int *out) {
    int K;
    window w = {.stride_h = 1, .stride_w = 1};
    param_spec ps;
    CUG_TRY(spec_int(p, &st->args[0], "filters", 1, &K));
    CUG_TRY(spec_pair(p, &st->args[1], "filter size", 1, &w.R, &w.S));
    CUG_TRY(spec_attr_stride(p, st, &w));
    CUG_TRY(spec_attr_pad(p, st, &w));
    CUG_TRY(params_of(p, st, &ps));
    CUG_TRY(at_line(p, st, build_conv2d(&p->b, p->layer, st->word.line, p->current, K, &w, &ps, out)));
    CUG_TRY(spec_print(p, "conv %d", K));
    CUG_TRY(print_window(p, &w, 1, 1));
    return print_params(p, &ps);
}

static cug_status do_pool(spec_parser *p, const statement *st, int *out) {
    window w = {.stride_h = 0};
    CUG_TRY(spec_pair(p, &st->args[0], "window", 1, &w.R, &w.S));
    if (w.R > 15 || w.S > 15)
        return spec_fail(p, CUG_ESPEC_LIMIT, st->word.line, "window %dx%d: 15 is the largest side", w.R, w.S);
    w.stride_h = w.R;
    w.stride_w = w.S;
    CUG_TRY(spec_attr_stride(p, st, &w));
    CUG_TRY(spec_attr_pad(p, st, &w));
    if (w.pad_h >= w.R || w.pad_w >= w.S)
        return spec_fail(p, CUG_ESPEC_VALUE, st->word.line, "pad %dx%d must be smaller than the window of %dx%d",
                         w.pad_h, w.pad_w, w.R, w.S);
    cug_pool_kind kind = token_is(&st->word, "maxpool") ? CUG_POOL_MAX : CUG_POOL_AVG;
    CUG_TRY(at_line(p, st, build_pool2d(&p->b, p->layer, st->word.line, p->current, kind, &w, out)));
    CUG_TRY(spec_print(p, kind == CUG_POOL_MAX ? "maxpool" : "avgpool"));
    return print_window(p, &w, w.R, w.S);
}

static cug_status do_linear(spec_parser *p, const statement *st, int *out) {
    int O;
    param_spec ps;
    CUG_TRY(spec_int(p, &st->args[0], "outputs", 1, &O));
    CUG_TRY(params_of(p, st, &ps));
    CUG_TRY(at_line(p, st, build_linear(&p->b, p->layer, st->word.line, p->current, O, &ps, out)));
    CUG_TRY(spec_print(p, "linear %d", O));
    return print_params(p, &ps);
}

static cug_status do_bias(spec_parser *p, const statement *st, int *out) {
    param_spec ps;
    CUG_TRY(params_of(p, st, &ps));
    CUG_TRY(at_line(p, st, build_bias(&p->b, p->layer, st->word.line, p->current, &ps, out)));
    CUG_TRY(spec_print(p, "bias"));
    return print_params(p, &ps);
}

static cug_status do_activation(spec_parser *p, const statement *st, int *out) {
    static const char *const words[] = {[CUG_ACT_RELU] = "relu",       [CUG_ACT_LEAKY_RELU] = "leaky_relu",
                                        [CUG_ACT_SIGMOID] = "sigmoid", [CUG_ACT_TANH] = "tanh",
                                        [CUG_ACT_SILU] = "silu",       [CUG_ACT_GELU] = "gelu"};
    cug_act_kind kind = CUG_ACT_RELU;
    while (!token_is(&st->word, words[kind])) kind++;
    const token *t = spec_attr(st, "slope");
    double slope = kind == CUG_ACT_LEAKY_RELU ? 0.01 : 0;
    if (t) CUG_TRY(spec_real(p, t, "slope", &slope));
    if (!(slope >= 0 && slope <= 1))
        return spec_fail(p, CUG_ESPEC_VALUE, t ? t->line : st->word.line, "slope %g must lie between 0 and 1", slope);
    CUG_TRY(at_line(p, st, build_activation(&p->b, p->layer, st->word.line, p->current, kind, (float)slope, out)));
    CUG_TRY(spec_print(p, "%s", words[kind]));
    if (kind != CUG_ACT_LEAKY_RELU || (float)slope == 0.01f) return CUG_OK;
    return spec_print(p, " slope=%.9g", (double)(float)slope);
}

/* A number of a layer in float32, by default `value`. */
static cug_status attr_float(spec_parser *p, const statement *st, const char *key, float *value) {
    const token *t = spec_attr(st, key);
    double d = 0;
    if (!t) return CUG_OK;
    CUG_TRY(spec_real(p, t, key, &d));
    *value = (float)d;
    return CUG_OK;
}

static cug_status do_batchnorm(spec_parser *p, const statement *st, int *out) {
    float eps = 1e-5f, momentum = 0.1f;
    CUG_TRY(attr_float(p, st, "eps", &eps));
    CUG_TRY(attr_float(p, st, "momentum", &momentum));
    if (!(eps > 0 && eps <= 1))
        return spec_fail(p, CUG_ESPEC_VALUE, spec_attr(st, "eps")->line,
                         "eps %g must be above 0 and at most 1; it is added to the variance", (double)eps);
    if (!(momentum >= 0 && momentum <= 1))
        return spec_fail(
            p, CUG_ESPEC_VALUE, spec_attr(st, "momentum")->line,
            "momentum %g must lie between 0 and 1; it is the newest batch's share in the running statistics",
            (double)momentum);
    CUG_TRY(at_line(p, st, build_batch_norm(&p->b, p->layer, st->word.line, p->current, eps, momentum, out)));
    CUG_TRY(spec_print(p, "batchnorm"));
    if (eps != 1e-5f) CUG_TRY(spec_print(p, " eps=%.9g", (double)eps));
    return momentum == 0.1f ? CUG_OK : spec_print(p, " momentum=%.9g", (double)momentum);
}

static cug_status do_dropout(spec_parser *p, const statement *st, int *out) {
    double drop;
    char text[32];
    CUG_TRY(spec_real(p, &st->args[0], "probability", &drop));
    if (!(drop >= 0 && drop < 1))
        return spec_fail(p, CUG_ESPEC_VALUE, st->args[0].line,
                         "probability %g must be at least 0 and below 1; it is the share that is dropped", drop);
    CUG_TRY(at_line(p, st, build_dropout(&p->b, p->layer, st->word.line, p->current, drop, out)));
    for (int digits = 6; digits <= 17; digits++) { /* the shortest that reads back the same */
        snprintf(text, sizeof text, "%.*g", digits, drop);
        if (strtod(text, 0) == drop) break;
    }
    return spec_print(p, "dropout %s", text);
}

static cug_status do_flatten(spec_parser *p, const statement *st, int *out) {
    CUG_TRY(at_line(p, st, build_flatten(&p->b, p->layer, st->word.line, p->current, out)));
    return spec_print(p, "flatten");
}

static cug_status do_join(spec_parser *p, const statement *st, int *out) {
    int in[CUG_MAX_INPUTS] = {p->current}, sum = token_is(&st->word, "add");
    CUG_TRY(spec_print(p, sum ? "add" : "concat"));
    for (int i = 0; i < st->n_args; i++) {
        CUG_TRY(spec_find_value(p, &st->args[i], &in[i + 1]));
        CUG_TRY(spec_print(p, " %s", p->b.g->values[in[i + 1]].name));
    }
    cug_status s = sum ? build_add(&p->b, p->layer, st->word.line, in, st->n_args + 1, out)
                       : build_concat(&p->b, p->layer, st->word.line, in, st->n_args + 1, out);
    return at_line(p, st, s);
}

/* Known only to be refused with the reason, which depends on the loss at the end. */
static cug_status do_softmax(spec_parser *p, const statement *st, int *out) {
    if (!p->softmax_line) {
        p->softmax_line = st->word.line;
        p->softmax_outputs = p->b.g->values[p->current].C;
    }
    *out = p->current;
    return CUG_OK;
}

static const char *const no_attrs[] = {0};
static const char *const conv_attrs[] = {"stride", "pad", "bias", "init", "tie", 0};
static const char *const pool_attrs[] = {"stride", "pad", 0};
static const char *const linear_attrs[] = {"bias", "init", "tie", 0};
static const char *const bias_attrs[] = {"tie", 0};
static const char *const batchnorm_attrs[] = {"eps", "momentum", 0};
static const char *const leaky_attrs[] = {"slope", 0};

static const layer_def layers[] = {
    {"conv", "conv", "conv FILTERS SIZE [stride=] [pad=] [bias=] [init=] [tie=]", 2, 2, conv_attrs, do_conv},
    {"maxpool", "pool", "maxpool SIZE [stride=] [pad=]", 1, 1, pool_attrs, do_pool},
    {"avgpool", "pool", "avgpool SIZE [stride=] [pad=]", 1, 1, pool_attrs, do_pool},
    {"linear", "fc", "linear OUTPUTS [bias=] [init=] [tie=]", 1, 1, linear_attrs, do_linear},
    {"bias", "bias", "bias [tie=]", 0, 0, bias_attrs, do_bias},
    {"batchnorm", "bn", "batchnorm [eps=] [momentum=]", 0, 0, batchnorm_attrs, do_batchnorm},
    {"relu", "relu", "relu", 0, 0, no_attrs, do_activation},
    {"leaky_relu", "leaky_relu", "leaky_relu [slope=]", 0, 0, leaky_attrs, do_activation},
    {"sigmoid", "sigmoid", "sigmoid", 0, 0, no_attrs, do_activation},
    {"tanh", "tanh", "tanh", 0, 0, no_attrs, do_activation},
    {"silu", "silu", "silu", 0, 0, no_attrs, do_activation},
    {"gelu", "gelu", "gelu", 0, 0, no_attrs, do_activation},
    {"dropout", "dropout", "dropout PROBABILITY", 1, 1, no_attrs, do_dropout},
    {"flatten", "flatten", "flatten", 0, 0, no_attrs, do_flatten},
    {"add", "add", "add NAME [NAME ...]", 1, CUG_MAX_INPUTS - 1, no_attrs, do_join},
    {"concat", "concat", "concat NAME [NAME ...]", 1, CUG_MAX_INPUTS - 1, no_attrs, do_join},
    {"softmax", "softmax", "softmax", 0, 0, no_attrs, do_softmax},
};

static const layer_def *find(spec_parser *p, const token *word, cug_status *st) {
    char hint[96];
    *st = CUG_OK;
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++)
        if (token_is(word, layers[i].word)) return &layers[i];
    p->layer[0] = 0;
    spec_did_you_mean(hint, word, spec_words);
    *st = spec_fail(p, CUG_ESPEC_UNKNOWN, word->line, "unknown layer '%.*s'%s", TOKEN_SHOW(word),
                    hint[0] ? hint : "; docs/SPEC.md lists them all");
    return 0;
}

static cug_status check_form(spec_parser *p, const layer_def *d, const statement *st) {
    char hint[96];
    if (st->n_args < d->min_args)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->word.line, "something is missing; the form is `%s`", d->usage);
    if (st->n_args > d->max_args && d->max_args == CUG_MAX_INPUTS - 1)
        return spec_fail(p, CUG_ESPEC_LIMIT, st->word.line, "more than %d values at once; split it in two",
                         CUG_MAX_INPUTS);
    if (st->n_args > d->max_args)
        return spec_fail(p, CUG_ESPEC_SYNTAX, st->args[d->max_args].line, "'%.*s' is too much; the form is `%s`",
                         TOKEN_SHOW(&st->args[d->max_args]), d->usage);
    for (int i = 0; i < st->n_attrs; i++) {
        int known = 0;
        for (int j = 0; d->attrs[j]; j++) known |= token_is(&st->keys[i], d->attrs[j]);
        if (!known)
            return spec_fail(p, CUG_ESPEC_UNKNOWN, st->keys[i].line, "unknown attribute '%.*s'%s; the form is `%s`",
                             TOKEN_SHOW(&st->keys[i]), spec_did_you_mean(hint, &st->keys[i], d->attrs), d->usage);
    }
    return CUG_OK;
}

cug_status spec_layer(spec_parser *p, const statement *st) {
    int out;
    cug_status s;
    const layer_def *d = find(p, &st->word, &s);
    if (!d) return s;
    CUG_TRY(check_form(p, d, st));
    CUG_TRY(spec_name(p, &st->as, d->stem));
    CUG_TRY(spec_print_start(p));
    CUG_TRY(d->build(p, st, &out));
    if (st->as.len) CUG_TRY(spec_print(p, " as %.*s", st->as.len, st->as.s));
    p->current = p->text_current = out;
    return CUG_OK;
}
