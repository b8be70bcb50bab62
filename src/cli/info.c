/* info.c - cuglyph info: the zoo as a list, or one model's layers, parameters, work and memory. */
#include <cuglyph/backend.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "model/summary.h"

typedef struct arguments {
    const char *model, *backend;
    long long batch, threads;
    int json, device_less, help;
} arguments;

static void help(void) {
    printf("usage: cuglyph info [MODEL] [OPTIONS]\n"
           "       cuglyph info --device [--json]\n"
           "       cuglyph info --choices\n\n"
           "Without MODEL: the models known by name. With MODEL: its layers with output shape, parameters,\n"
           "multiply-accumulates (MACs) an image and bytes of their output, then the memory of a training step.\n"
           "With --device: what there is to train on, each GPU with its memory and measured copy bandwidth.\n"
           "With --choices: what --conv auto and --gemm auto have timed here, and whose code they run.\n"
           "MODEL: a name from that list, a spec file, or a one-line spec (docs/SPEC.md).\n\n"
           "  --batch N        images in a step (default 128)\n"
           "  --backend NAME   whose memory: cpu, ref, cuda (default cpu)\n"
           "  --threads N      of the cpu backend, whose workspaces depend on it (default 0: one a core)\n"
           "  --device-less    open no device: leaves out the activations' arena\n"
           "  --json           the same as JSON\n"
           "  --help           this text\n");
}

/* Options that take a value, "--batch N" or "--batch=N". */
enum { BATCH, BACKEND, THREADS, N_VALUED };
static const char *const valued[N_VALUED] = {"--batch", "--backend", "--threads"};

/* Which of them argv[*i] is, with its value (NULL: missing); -1 for none. */
static int take_valued(int argc, char **argv, int *i, const char **value) {
    for (int which = 0; which < N_VALUED; which++) {
        size_t n = strlen(valued[which]);
        const char *arg = argv[*i];
        if (strncmp(arg, valued[which], n) != 0 || (arg[n] && arg[n] != '=')) continue;
        *value = arg[n] ? arg + n + 1 : *i + 1 < argc ? argv[++*i] : 0;
        return which;
    }
    return -1;
}

static int set_valued(arguments *a, int which, const char *value) {
    long long most = which == BATCH ? 1 << 20 : 1024, least = which == BATCH;
    if (!value) return cli_usage("info", "%s needs a value", valued[which]);
    if (which == BACKEND) {
        a->backend = value;
        return 0;
    }
    if (cli_int(value, least, most, which == BATCH ? &a->batch : &a->threads) == 0) return 0;
    return cli_usage("info", "%s '%s' is not a whole number from %lld to %lld", valued[which], value, least, most);
}

static int parse(int argc, char **argv, arguments *a) {
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i], *value = 0;
        int which = take_valued(argc, argv, &i, &value), rc = 0;
        if (which >= 0)
            rc = set_valued(a, which, value);
        else if (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)
            a->help = 1;
        else if (strcmp(arg, "--json") == 0)
            a->json = 1;
        else if (strcmp(arg, "--device-less") == 0)
            a->device_less = 1;
        else if (arg[0] == '-' && arg[1])
            rc = cli_usage("info", "no option '%s'", arg);
        else if (a->model)
            rc = cli_usage("info", "one model at a time; '%s' is a second one", arg);
        else
            a->model = arg;
        if (rc) return rc;
    }
    return 0;
}

/* 1234567 -> "1,234,567"; returns buf. */
static const char *commas(char buf[32], uint64_t v) {
    char digits[24];
    int n = snprintf(digits, sizeof digits, "%llu", (unsigned long long)v), at = 0;
    for (int i = 0; i < n; i++) {
        if (i && (n - i) % 3 == 0) buf[at++] = ',';
        buf[at++] = digits[i];
    }
    buf[at] = 0;
    return buf;
}

static const char *megabytes(char buf[32], size_t bytes) {
    if (bytes < 1000000)
        snprintf(buf, 32, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(buf, 32, "%.1f MB", (double)bytes / 1e6);
    return buf;
}

static const char *shape_text(char buf[48], const cug_value *v) {
    if (v->flat)
        snprintf(buf, 48, "%d", v->C);
    else
        snprintf(buf, 48, "%dx%dx%d", v->H, v->W, v->C);
    return buf;
}

static int print_json(json_t *o) {
    if (!o) return cli_fail(cug_fail(CUG_ENOMEM, "no memory for JSON"));
    int bad = json_dumpf(o, stdout, JSON_INDENT(2));
    json_decref(o);
    if (bad) return cli_fail(cug_fail(CUG_EIO, "writing JSON failed"));
    putchar('\n');
    return 0;
}

/* --- the list ------------------------------------------------------------------------------------------------------
 */

static int list_zoo(int as_json) {
    const cug_zoo_entry *e;
    json_t *all = as_json ? json_array() : 0;
    if (!as_json) printf("%-10s %10s  %s\n", "name", "parameters", "about");
    for (int i = 0; (e = cug_zoo_at(i)); i++) {
        cug_graph *g;
        char count[32];
        cug_status s = cug_model_load(&g, e->name);
        if (s != CUG_OK) {
            json_decref(all);
            return cli_fail(s);
        }
        if (as_json)
            json_array_append_new(all, json_pack("{s:s, s:s, s:I, s:s}", "name", e->name, "about", e->about,
                                                 "parameters", (json_int_t)g->param_count, "spec", g->spec));
        else
            printf("%-10s %10s  %s\n", e->name, commas(count, g->param_count), e->about);
        cug_graph_free(g);
    }
    return as_json ? print_json(all) : 0;
}

/* --- one model ------------------------------------------------------------------------------------------------------
 */

static uint64_t total_macs(const cug_graph *g) {
    uint64_t sum = 0;
    for (int i = 0; i < g->n_nodes; i++) sum += cug_node_macs(&g->nodes[i]);
    return sum;
}

static json_t *model_json(const cug_graph *g, const arguments *a, const cug_backend *be, const cug_memory_summary *m) {
    json_t *layers = json_array();
    char text[CUG_NODE_TEXT];
    for (int i = 0; i < g->n_nodes; i++) {
        const cug_node *n = &g->nodes[i];
        const cug_value *v = &g->values[n->out];
        json_t *reads = json_array(), *shape = v->flat ? json_pack("[i]", v->C) : json_pack("[iii]", v->H, v->W, v->C);
        for (int k = 0; k < n->n_in; k++) json_array_append_new(reads, json_string(g->values[n->in[k]].name));
        json_array_append_new(layers, json_pack("{s:s, s:s, s:o, s:o, s:I, s:I, s:I}", "name", n->name, "layer",
                                                cug_node_text(text, n), "inputs", reads, "output", shape, "parameters",
                                                (json_int_t)cug_node_params(g, i), "macs", (json_int_t)cug_node_macs(n),
                                                "output_bytes",
                                                (json_int_t)cug_node_output_bytes(g, i, (int)a->batch, be->real)));
    }
    json_t *memory =
        json_pack("{s:s, s:I, s:I, s:I, s:I}", "backend", be->name, "parameters", (json_int_t)m->params, "gradients",
                  (json_int_t)m->grads, "optimizer", (json_int_t)m->optimizer, "total", (json_int_t)m->total);
    if (!a->device_less) {
        json_object_set_new(memory, "arena", json_integer((json_int_t)m->arena));
        json_object_set_new(memory, "arena_unshared", json_integer((json_int_t)m->unshared));
    }
    return json_pack("{s:s, s:s, s:s, s:I, s:o, s:I, s:I, s:o}", "name", g->name, "spec", g->spec, "loss",
                     cug_loss_name(g->loss), "batch", (json_int_t)a->batch, "layers", layers, "parameters",
                     (json_int_t)g->param_count, "macs", (json_int_t)total_macs(g), "memory", memory);
}

/* Widths of the two columns whose text varies. */
static void widths(const cug_graph *g, int *name, int *layer) {
    char text[CUG_NODE_TEXT];
    *name = 5;
    *layer = 5;
    for (int i = 0; i < g->n_nodes; i++) {
        int n = (int)strlen(g->nodes[i].name), m = (int)strlen(cug_node_text(text, &g->nodes[i]));
        if (n > *name) *name = n;
        if (m > *layer) *layer = m;
    }
}

static void print_layers(const cug_graph *g, const arguments *a, const cug_backend *be) {
    int name, layer;
    char text[CUG_NODE_TEXT], shape[48], params[32], macs[32], bytes[32];
    size_t sum = 0;
    widths(g, &name, &layer);
    printf("%-*s  %-*s  %12s %13s %15s %12s\n", name, "layer", layer, "is", "output", "parameters", "MACs", "bytes");
    printf("%-*s  %-*s  %12s\n", name, "input", layer, "", shape_text(shape, &g->values[0]));
    for (int i = 0; i < g->n_nodes; i++) {
        const cug_node *n = &g->nodes[i];
        size_t b = cug_node_output_bytes(g, i, (int)a->batch, be->real), count = cug_node_params(g, i);
        uint64_t work = cug_node_macs(n);
        int tied = !count && (n->weight >= 0 || n->bias >= 0);
        sum += b;
        printf("%-*s  %-*s  %12s %13s %15s %12s\n", name, n->name, layer, cug_node_text(text, n),
               shape_text(shape, &g->values[n->out]),
               count  ? commas(params, count)
               : tied ? "tied"
                      : "-",
               work ? commas(macs, work) : "-", b ? commas(bytes, b) : "-");
    }
    printf("%-*s  %-*s  %12s %13s %15s %12s\n\n", name, "total", layer, "", "", commas(params, g->param_count),
           commas(macs, total_macs(g)), commas(bytes, sum));
}

static void print_model(const cug_graph *g, const arguments *a, const cug_backend *be, const cug_memory_summary *m) {
    char t[32], u[32];
    printf("%s, loss %s; MACs of one image, bytes of a batch of %lld\n\n", g->name, cug_loss_name(g->loss), a->batch);
    print_layers(g, a, be);
    printf("memory of a training step, batch %lld, backend %s (%s)\n", a->batch, be->name, cug_dtype_name(be->real));
    printf("  %-28s %10s\n", "parameters", megabytes(t, m->params));
    printf("  %-28s %10s\n", "gradients", megabytes(t, m->grads));
    printf("  %-28s %10s\n", "optimizer state (Adam)", megabytes(t, m->optimizer));
    if (!a->device_less)
        printf("  %-28s %10s  (%s if nothing shared memory)\n", "arena of activations", megabytes(t, m->arena),
               megabytes(u, m->unshared));
    printf("  %-28s %10s\n\nspec: %s\n", a->device_less ? "total without activations" : "total", megabytes(t, m->total),
           g->spec);
}

static cug_status show(const cug_graph *g, const arguments *a, int *rc) {
    cug_status st = CUG_OK;
    cug_device *dev = 0;
    cug_memory_summary m;
    const cug_backend *be = cug_backend_find(a->backend);
    if (!be) return cug_fail(CUG_ENOTSUP, "this build has no backend '%s'; try --backend cpu", a->backend);
    if (!a->device_less) CUG_GOTO(be->open(&dev, &(cug_device_options){.threads = (int)a->threads}));
    CUG_GOTO(cug_memory_summarize(&m, g, be, dev, (int)a->batch));
    if (a->json)
        *rc = print_json(model_json(g, a, be, &m));
    else
        print_model(g, a, be, &m);
cleanup:
    if (dev) be->close(dev);
    return st;
}

int cmd_info(int argc, char **argv) {
    arguments a = {.batch = 128, .backend = "cpu"};
    cug_graph *g = 0;
    if (argc > 1 && strcmp(argv[1], "--device") == 0) return info_devices(argc - 1, argv + 1);
    if (argc > 1 && strcmp(argv[1], "--choices") == 0) return info_choices(argc - 1, argv + 1);
    int rc = parse(argc, argv, &a);
    if (rc) return rc;
    if (a.help) {
        help();
        return 0;
    }
    if (!a.model) return list_zoo(a.json);
    cug_status s = cug_model_load(&g, a.model);
    if (s == CUG_OK) s = show(g, &a, &rc);
    cug_graph_free(g);
    return s == CUG_OK ? rc : cli_fail(s);
}
