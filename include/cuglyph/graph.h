/* graph.h - a model in memory: a directed acyclic graph of ops over named values, with the table of its parameters. */
#ifndef CUGLYPH_GRAPH_H
#define CUGLYPH_GRAPH_H

#include <cuglyph/backend.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUG_NAME_MAX 64
#define CUG_MAX_NODES 1024
#define CUG_SEGMENT_ALIGN 64 /* elements: 256 bytes of float32 */

typedef enum {
    CUG_OP_CONV2D,
    CUG_OP_POOL2D,
    CUG_OP_LINEAR,
    CUG_OP_BIAS,
    CUG_OP_ACTIVATION,
    CUG_OP_DROPOUT,
    CUG_OP_FLATTEN, /* a view: (H,W,C) memory seen as one axis */
    CUG_OP_ADD,
    CUG_OP_CONCAT,
    CUG_OP_BATCH_NORM,
    CUG_OP_CONV_BLOCK, /* made by the plan only */
    CUG_OP_COUNT
} cug_op_kind;

typedef enum { CUG_LOSS_SOFTMAX_XENT, CUG_LOSS_BCE_LOGITS, CUG_LOSS_MSE } cug_loss_kind;

typedef enum {
    CUG_INIT_AUTO,           /* he before ReLU and LeakyReLU, lecun before tanh, glorot else (sigmoid, outputs) */
    CUG_INIT_HE_UNIFORM,     /* U(+-sqrt(6 / fan_in)) */
    CUG_INIT_HE_NORMAL,      /* N(0, 2 / fan_in) */
    CUG_INIT_GLOROT_UNIFORM, /* U(+-sqrt(6 / (fan_in + fan_out))) */
    CUG_INIT_GLOROT_NORMAL,  /* N(0, 2 / (fan_in + fan_out)) */
    CUG_INIT_LECUN_UNIFORM,  /* U(+-sqrt(3 / fan_in)) */
    CUG_INIT_LECUN_NORMAL,   /* N(0, 1 / fan_in) */
    CUG_INIT_ZEROS,
    CUG_INIT_ONES, /* scales and variances; no word of a spec */
} cug_init_kind;

/* One sample's value: (H,W,C), or flat with H = W = 1. */
typedef struct cug_value {
    char name[CUG_NAME_MAX]; /* of the layer that makes it; "input" for value 0 */
    int flat;
    int H, W, C;
    int producer; /* node, -1 for the input */
    int users;    /* nodes that read it, counted with repetition, plus 1 for the model's output */
} cug_value;

/* How a segment's memory order differs from the file's (OIHW, NCHW-flattened): conversion happens at that border only.
 */
typedef enum {
    CUG_LAYOUT_PLAIN, /* same order */
    CUG_LAYOUT_KRSC,  /* dims {K,R,S,C} here, {K,C,R,S} in files */
    CUG_LAYOUT_O_HWC, /* dims {O, H*W*C} here, {O, C*H*W} in files; H, W, C below */
} cug_layout;

/* The place of a parameter tensor, or of a running statistic, in the flat buffers. */
typedef struct cug_segment {
    char name[CUG_NAME_MAX]; /* "conv1.weight" */
    size_t offset, count;    /* elements; offset a multiple of CUG_SEGMENT_ALIGN */
    int ndim;
    int dims[CUG_MAX_DIMS];
    cug_layout layout;
    int H, W, C;   /* O_HWC only */
    int is_weight; /* decay and L1/L2 apply; biases and batch normalisation's factors: 0 */
    int frozen;
    int statistic;      /* followed by its op, never trained: in every copy and file, in no count of parameters */
    cug_init_kind init; /* never AUTO once the graph is built */
    int init_given;     /* by the spec's init= */
    int fan_in, fan_out;
} cug_segment;

typedef struct cug_node {
    cug_op_kind op;
    char name[CUG_NAME_MAX]; /* "conv1", or as the spec names it */
    int line;                /* of the spec; 0 for none */
    int n_in;
    int in[CUG_MAX_INPUTS]; /* values */
    int out;
    int weight, bias;              /* segments, -1 for none; of batch normalisation: gamma, beta */
    int running_mean, running_var; /* segments, -1 for none */
    union {                        /* for one sample: N = 1 (rows = H*W ...) */
        cug_conv2d_shape conv2d;
        cug_pool2d_shape pool2d;
        cug_linear_shape linear;
        cug_bias_shape bias;
        cug_batch_norm_shape batch_norm;
        cug_activation_shape activation;
        cug_dropout_shape dropout;
        cug_add_shape add;
        cug_concat_shape concat;
        cug_conv_block_shape conv_block;
    } u;
} cug_node;

typedef struct cug_graph {
    char name[CUG_NAME_MAX]; /* zoo name, or "model" */
    char *spec;              /* canonical one-line text: parses to this same graph */
    int n_values, n_nodes, n_segments;
    cug_value *values; /* values[0] is the input */
    cug_node *nodes;   /* in an order that can be run */
    cug_segment *segments;
    int output; /* value: the logits */
    cug_loss_kind loss;
    size_t param_count; /* parameters that exist; statistics are none */
    size_t flat_count;  /* elements of a flat buffer, statistics and padding included */
} cug_graph;

/* Spec text -> graph with inferred shapes, segments laid out and init resolved. `where` is the text's name for messages
 * (a file name, "spec"). Grammar: docs/SPEC.md. On failure *out is NULL and cug_error() reads
 * "WHERE:LINE: LAYER: what is wrong; what to do". Free with cug_graph_free (NULL is safe). */
CUG_API cug_status cug_spec_parse(cug_graph **out, const char *text, const char *where);

/* MODEL as the command line takes it: a zoo name, else a file's path (if it exists), else a one-line spec (if it holds
 * a space or ';'). */
CUG_API cug_status cug_model_load(cug_graph **out, const char *model);
CUG_API void cug_graph_free(cug_graph *g);

/* The i-th model of the zoo, NULL past the end. */
typedef struct cug_zoo_entry {
    const char *name, *about, *spec;
} cug_zoo_entry;
CUG_API const cug_zoo_entry *cug_zoo_at(int i);
CUG_API const cug_zoo_entry *cug_zoo_find(const char *name);

/* Elements of value v for one sample. */
CUG_API size_t cug_value_count(const cug_value *v);

/* Multiply-accumulates of one sample's forward pass: conv2d P*Q*K*R*S*C, linear I*O, else 0. */
CUG_API uint64_t cug_node_macs(const cug_node *n);

/* Does the optimizer move it? */
CUG_API int cug_segment_trained(const cug_segment *s);

/* Marks every segment of the named layer frozen (a batch normalisation then uses its running statistics and leaves them
 * as they are, in training too); a trailing '*' matches any ending. CUG_ESPEC_NAME when none match. */
CUG_API cug_status cug_graph_freeze(cug_graph *g, const char *layer);

/* Replaces the init of every weight whose layer has no init= of its own. CUG_ESPEC_VALUE for an unknown word. */
CUG_API cug_status cug_graph_override_init(cug_graph *g, const char *init);

/* Initial weights in float32, from seed alone (CUG_RNG_INIT): flat_count elements, padding and biases zero. */
CUG_API void cug_graph_init(const cug_graph *g, uint64_t seed, float *flat);

/* Memory order <-> file order for one segment; src and dst hold count elements of elem_size bytes, no aliasing. */
CUG_API void cug_segment_to_file(const cug_segment *s, void *dst, const void *src, size_t elem_size);
CUG_API void cug_segment_from_file(const cug_segment *s, void *dst, const void *src, size_t elem_size);
/* Extents as the file has them; returns ndim. */
CUG_API int cug_segment_file_dims(const cug_segment *s, int dims[CUG_MAX_DIMS]);

/* Spec words: "conv", "maxpool", ...; "softmax_xent"; "he_uniform". */
CUG_API const char *cug_op_name(cug_op_kind op);
CUG_API const char *cug_loss_name(cug_loss_kind loss);
CUG_API const char *cug_init_name(cug_init_kind init);

#ifdef __cplusplus
}
#endif
#endif
