/* summary.h - a model in numbers: what each layer is, makes and costs; what training it takes in memory. */
#ifndef CUG_MODEL_SUMMARY_H
#define CUG_MODEL_SUMMARY_H

#include <cuglyph/graph.h>

#define CUG_NODE_TEXT 96

/* The node as a spec line would put it, with pads as resolved: "conv 16 3x3 pad=1"; returns buf. */
const char *cug_node_text(char buf[CUG_NODE_TEXT], const cug_node *n);

/* Elements of the parameters that this node is the first to use: tied layers add nothing. */
size_t cug_node_params(const cug_graph *g, int node);

/* New bytes that the node's output takes for a batch: 0 for a view. */
size_t cug_node_output_bytes(const cug_graph *g, int node, int batch, cug_dtype real);

/* Bytes of a training step with Adam at one batch size on one backend. */
typedef struct cug_memory_summary {
    size_t params, grads, optimizer;
    size_t arena;    /* activations, their gradients, workspaces, sharing memory */
    size_t unshared; /* what the arena would take if nothing were shared */
    size_t total;
} cug_memory_summary;

/* dev NULL: no plan is made; arena and unshared stay 0. */
cug_status cug_memory_summarize(cug_memory_summary *out, const cug_graph *g, const cug_backend *be,
                                const cug_device *dev, int batch);

#endif
