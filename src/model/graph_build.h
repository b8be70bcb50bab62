/* graph_build.h - makes a graph node by node: shape inference, parameter segments, names. */
#ifndef CUG_MODEL_GRAPH_BUILD_H
#define CUG_MODEL_GRAPH_BUILD_H

#include <cuglyph/graph.h>

/* Which image a flat value was flattened from; all 0 when its order is nobody's but its own. */
typedef struct flat_origin {
    int H, W, C;
} flat_origin;

typedef struct builder {
    cug_graph *g;
    int cap_values, cap_nodes, cap_segments, cap_origins;
    flat_origin *origins; /* per value */
} builder;

typedef enum { PAD_VALID, PAD_SAME, PAD_GIVEN } pad_kind;

/* A moving window as the spec gives it; pads are resolved against the input. */
typedef struct window {
    int R, S, stride_h, stride_w;
    pad_kind pad;
    int pad_h, pad_w;             /* PAD_GIVEN */
    int top, bottom, left, right; /* resolved */
} window;

/* What a layer's parameters are like. */
typedef struct param_spec {
    int has_bias;
    cug_init_kind init; /* AUTO: not given */
    int tie;            /* node whose parameters are used, -1 for none */
} param_spec;

/* Every function below adds one node that reads `in` and sets *out to its output value. On failure the message holds
 * the reason alone ("what is wrong; what to do"), the status is ESPEC_SHAPE, ESPEC_VALUE, ESPEC_NAME, ESPEC_LIMIT or
 * ENOMEM, and the graph is unchanged but for unused memory. */
cug_status build_begin(builder *b, int flat, int H, int W, int C);
cug_status build_conv2d(builder *b, const char *name, int line, int in, int K, window *w, const param_spec *ps,
                        int *out);
cug_status build_pool2d(builder *b, const char *name, int line, int in, cug_pool_kind kind, window *w, int *out);
cug_status build_linear(builder *b, const char *name, int line, int in, int O, const param_spec *ps, int *out);
cug_status build_bias(builder *b, const char *name, int line, int in, const param_spec *ps, int *out);
cug_status build_batch_norm(builder *b, const char *name, int line, int in, float eps, float momentum, int *out);
cug_status build_activation(builder *b, const char *name, int line, int in, cug_act_kind kind, float slope, int *out);
cug_status build_dropout(builder *b, const char *name, int line, int in, double p, int *out);
cug_status build_flatten(builder *b, const char *name, int line, int in, int *out);
cug_status build_add(builder *b, const char *name, int line, const int *in, int n_in, int *out);
cug_status build_concat(builder *b, const char *name, int line, const int *in, int n_in, int *out);

/* graph_finish.c: sets the output and the loss, counts users, resolves init; *bad_node is the node to blame on
 * failure. */
cug_status build_finish(builder *b, int output, cug_loss_kind loss, int *bad_node);

/* graph_node.c: what the functions above share. */
/* Adds a value of this shape and the node n, whose out is set; origin is NULL for none. */
cug_status build_add_node(builder *b, cug_node *n, int flat, int H, int W, int C, const flat_origin *origin);
/* Adds a segment and returns its number through *out. */
cug_status build_add_segment(builder *b, const cug_segment *s, int *out);
cug_node build_node(cug_op_kind op, const char *name, int line, int in);

#define CUG_INIT_WORDS                                                                                                 \
    "he_uniform (he), he_normal, glorot_uniform (glorot), glorot_normal, lecun_uniform (lecun), lecun_normal, zeros"
/* init.c: the kind a word (n characters) stands for, short forms included; 0 when it is none. */
int cug_init_find(const char *word, size_t n, cug_init_kind *out);

/* "28x28x1", or "784" for a flat value; returns buf. */
const char *cug_value_text(char buf[48], const cug_value *v);

#endif
