/* cudnn_plan.c - the operation graph of a convolution, forward or backward, and the choice of an engine for it.
 *
 * cuDNN names extents N, C, H, W whatever the memory is like; strides say that ours is NHWC, filters KRSC. */
#include "cuda/cudnn_plan.h"

#if CUG_HAVE_CUDNN
#include <stdbool.h>
#include <string.h>

#define CONFIGS_MOST 64 /* that are looked at, of each list of the heuristics */
#define NOTES_MOST 16
#define ALIGNED 16 /* of every pointer */

cug_status cug_cudnn_failed(const cug_cudnn_api *api, const char *call, cudnnStatus_t s) {
    char text[256] = "";
    api->cudnnGetLastErrorString(text, sizeof text);
    text[strcspn(text, "\n")] = 0;
    const int unsupported = s >= CUDNN_STATUS_NOT_SUPPORTED && s < CUDNN_STATUS_INTERNAL_ERROR;
    return cug_fail(unsupported ? CUG_ENOTSUP : CUG_ECUDA, "%s: %s%s%.160s", call, api->cudnnGetErrorString(s),
                    *text ? ": " : "", text);
}

static cug_status make(cug_cudnn_plan *p, const cug_cudnn_api *api, cudnnBackendDescriptorType_t type,
                       cudnnBackendDescriptor_t *out) {
    if (p->parts == CUG_DNN_PARTS) return cug_fail(CUG_EINVAL, "cuDNN: a graph of too many parts");
    DNN_TRY(api, cudnnBackendCreateDescriptor, type, out);
    p->part[p->parts++] = *out;
    return CUG_OK;
}

void cug_cudnn_drop_plan(cug_cudnn_plan *p, const cug_cudnn_api *api) {
    while (p->parts) (void)api->cudnnBackendDestroyDescriptor(p->part[--p->parts]);
}

#define SET(d, name, type, count, value)                                                                               \
    DNN_TRY(api, cudnnBackendSetAttribute, d, CUDNN_ATTR_##name, CUDNN_TYPE_##type, count, value)

static cug_status make_tensor(cug_cudnn_plan *p, const cug_cudnn_api *api, int64_t id, const int64_t nchw[4],
                              cudnnBackendDescriptor_t *out) {
    const int64_t strides[4] = {nchw[1] * nchw[2] * nchw[3], 1, nchw[3] * nchw[1], nchw[1]}, aligned = ALIGNED;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const bool inside = id == CUG_DNN_SUM;
    CUG_TRY(make(p, api, CUDNN_BACKEND_TENSOR_DESCRIPTOR, out));
    SET(*out, TENSOR_DATA_TYPE, DATA_TYPE, 1, &type);
    SET(*out, TENSOR_DIMENSIONS, INT64, 4, nchw);
    SET(*out, TENSOR_STRIDES, INT64, 4, strides);
    SET(*out, TENSOR_UNIQUE_ID, INT64, 1, &id);
    SET(*out, TENSOR_BYTE_ALIGNMENT, INT64, 1, &aligned);
    if (inside) SET(*out, TENSOR_IS_VIRTUAL, BOOLEAN, 1, &inside);
    DNN_TRY(api, cudnnBackendFinalize, *out);
    return CUG_OK;
}

static cug_status make_convolution(cug_cudnn_plan *p, const cug_cudnn_api *api, const cug_conv2d_shape *s,
                                   cudnnBackendDescriptor_t *out) {
    const int64_t two = 2, dilations[2] = {1, 1}, strides[2] = {s->stride_h, s->stride_w},
                  before[2] = {s->pad_top, s->pad_left}, after[2] = {s->pad_bottom, s->pad_right};
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    CUG_TRY(make(p, api, CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR, out));
    SET(*out, CONVOLUTION_SPATIAL_DIMS, INT64, 1, &two);
    SET(*out, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, &type);
    SET(*out, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, &mode);
    SET(*out, CONVOLUTION_DILATIONS, INT64, 2, dilations);
    SET(*out, CONVOLUTION_FILTER_STRIDES, INT64, 2, strides);
    SET(*out, CONVOLUTION_PRE_PADDINGS, INT64, 2, before);
    SET(*out, CONVOLUTION_POST_PADDINGS, INT64, 2, after);
    DNN_TRY(api, cudnnBackendFinalize, *out);
    return CUG_OK;
}

/* sum + bias, the bias one number a channel. */
static cug_status make_bias(cug_cudnn_plan *p, const cug_cudnn_api *api, const cug_conv2d_shape *s,
                            cudnnBackendDescriptor_t sum, cudnnBackendDescriptor_t y, cudnnBackendDescriptor_t *out) {
    const int64_t extents[4] = {1, s->K, 1, 1};
    const cudnnPointwiseMode_t mode = CUDNN_POINTWISE_ADD;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    cudnnBackendDescriptor_t bias, add;
    CUG_TRY(make_tensor(p, api, CUG_DNN_BIAS, extents, &bias));
    CUG_TRY(make(p, api, CUDNN_BACKEND_POINTWISE_DESCRIPTOR, &add));
    SET(add, POINTWISE_MODE, POINTWISE_MODE, 1, &mode);
    SET(add, POINTWISE_MATH_PREC, DATA_TYPE, 1, &type);
    DNN_TRY(api, cudnnBackendFinalize, add);
    CUG_TRY(make(p, api, CUDNN_BACKEND_OPERATION_POINTWISE_DESCRIPTOR, out));
    SET(*out, OPERATION_POINTWISE_PW_DESCRIPTOR, BACKEND_DESCRIPTOR, 1, &add);
    SET(*out, OPERATION_POINTWISE_XDESC, BACKEND_DESCRIPTOR, 1, &sum);
    SET(*out, OPERATION_POINTWISE_BDESC, BACKEND_DESCRIPTOR, 1, &bias);
    SET(*out, OPERATION_POINTWISE_YDESC, BACKEND_DESCRIPTOR, 1, &y);
    DNN_TRY(api, cudnnBackendFinalize, *out);
    return CUG_OK;
}

static cug_status make_operation(cug_cudnn_plan *p, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                                 cudnnBackendDescriptor_t x, cudnnBackendDescriptor_t w, cudnnBackendDescriptor_t y,
                                 cudnnBackendDescriptor_t convolution, cudnnBackendDescriptor_t *out) {
    const float one = 1, beta = wish->add ? 1 : 0;
    switch (wish->p.role) {
    case CUG_ROLE_FWD:
        CUG_TRY(make(p, api, CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, out));
        SET(*out, OPERATION_CONVOLUTION_FORWARD_X, BACKEND_DESCRIPTOR, 1, &x);
        SET(*out, OPERATION_CONVOLUTION_FORWARD_W, BACKEND_DESCRIPTOR, 1, &w);
        SET(*out, OPERATION_CONVOLUTION_FORWARD_Y, BACKEND_DESCRIPTOR, 1, &y);
        SET(*out, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, BACKEND_DESCRIPTOR, 1, &convolution);
        SET(*out, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, &one);
        SET(*out, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, &beta);
        break;
    case CUG_ROLE_DGRAD:
        CUG_TRY(make(p, api, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, out));
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_DX, BACKEND_DESCRIPTOR, 1, &x);
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_W, BACKEND_DESCRIPTOR, 1, &w);
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_DY, BACKEND_DESCRIPTOR, 1, &y);
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, BACKEND_DESCRIPTOR, 1, &convolution);
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_ALPHA, FLOAT, 1, &one);
        SET(*out, OPERATION_CONVOLUTION_BWD_DATA_BETA, FLOAT, 1, &beta);
        break;
    default:
        CUG_TRY(make(p, api, CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, out));
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_X, BACKEND_DESCRIPTOR, 1, &x);
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_DW, BACKEND_DESCRIPTOR, 1, &w);
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_DY, BACKEND_DESCRIPTOR, 1, &y);
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, BACKEND_DESCRIPTOR, 1, &convolution);
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_ALPHA, FLOAT, 1, &one);
        SET(*out, OPERATION_CONVOLUTION_BWD_FILTER_BETA, FLOAT, 1, &beta);
    }
    DNN_TRY(api, cudnnBackendFinalize, *out);
    return CUG_OK;
}

cug_status cug_cudnn_make_graph(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish) {
    const cug_conv2d_shape *s = &wish->p.conv;
    const int64_t x_nchw[4] = {s->N, s->C, s->H, s->W}, w_nchw[4] = {s->K, s->C, s->R, s->S},
                  y_nchw[4] = {s->N, s->K, s->P, s->Q};
    cudnnBackendDescriptor_t x, w, y, sum, convolution, operation[2];
    *out = (cug_cudnn_plan){.engine = -1};
    CUG_TRY(make_tensor(out, api, CUG_DNN_X, x_nchw, &x));
    CUG_TRY(make_tensor(out, api, CUG_DNN_W, w_nchw, &w));
    CUG_TRY(make_tensor(out, api, CUG_DNN_Y, y_nchw, &y));
    sum = y;
    if (wish->bias) CUG_TRY(make_tensor(out, api, CUG_DNN_SUM, y_nchw, &sum));
    CUG_TRY(make_convolution(out, api, s, &convolution));
    CUG_TRY(make_operation(out, api, wish, x, w, sum, convolution, &operation[0]));
    if (wish->bias) CUG_TRY(make_bias(out, api, s, sum, y, &operation[1]));
    CUG_TRY(make(out, api, CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR, &out->graph));
    SET(out->graph, OPERATIONGRAPH_OPS, BACKEND_DESCRIPTOR, wish->bias ? 2 : 1, operation);
    DNN_TRY(api, cudnnBackendFinalize, out->graph);
    return CUG_OK;
}

int cug_cudnn_allowed(const cug_cudnn_wish *wish, cudnnBackendNumericalNote_t note) {
    switch (note) {
    case CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP:
        return 1;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE: /* of float32 data: products of TF32 */
        return wish->p.precision != CUG_PREC_FP32;
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
        return wish->nondeterministic;
    default: /* half precision; FFT and Winograd, whose errors are not those of a sum of products; what is not known */
        return 0;
    }
}

static cug_status look_at_engine(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                                 cudnnBackendDescriptor_t config, cudnnBackendDescriptor_t engine, int *allowed) {
    cudnnBackendNumericalNote_t notes[NOTES_MOST];
    int64_t n = 0, one = 0;
    DNN_TRY(api, cudnnBackendGetAttribute, config, CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &one,
            &engine);
    DNN_TRY(api, cudnnBackendGetAttribute, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE,
            NOTES_MOST, &n, notes);
    DNN_TRY(api, cudnnBackendGetAttribute, engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &one,
            &out->engine);
    *allowed = n <= NOTES_MOST;
    for (int64_t i = 0; i < n && *allowed; i++) *allowed = cug_cudnn_allowed(wish, notes[i]);
    return CUG_OK;
}

/* Makes the plan of one engine configuration; *taken 0 when its notes are not allowed, the device cannot run it or its
 * workspace is too large. */
static cug_status try_config(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                             cudnnBackendDescriptor_t properties, cudnnBackendDescriptor_t config, int *taken) {
    cudnnBackendDescriptor_t engine = NULL, plan = NULL;
    int64_t bytes = 0, one = 0;
    int allowed = 0;
    *taken = 0;
    DNN_TRY(api, cudnnBackendCreateDescriptor, CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine);
    cug_status st = look_at_engine(out, api, wish, config, engine, &allowed);
    (void)api->cudnnBackendDestroyDescriptor(engine);
    if (st != CUG_OK || !allowed) return st;
    CUG_TRY(make(out, api, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan));
    SET(plan, EXECUTION_PLAN_ENGINE_CONFIG, BACKEND_DESCRIPTOR, 1, &config);
    SET(plan, EXECUTION_PLAN_DEVICEPROP, BACKEND_DESCRIPTOR, 1, &properties);
    const int made = api->cudnnBackendFinalize(plan) == CUDNN_STATUS_SUCCESS;
    if (made)
        DNN_TRY(api, cudnnBackendGetAttribute, plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1,
                &one, &bytes);
    if (!made || bytes < 0 || (uint64_t)bytes > CUG_LIBRARY_WORKSPACE_MOST) {
        (void)api->cudnnBackendDestroyDescriptor(plan);
        out->parts--;
        return CUG_OK;
    }
    out->plan = plan;
    out->workspace = (size_t)bytes;
    *taken = 1;
    return CUG_OK;
}

static cug_status try_list(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                           cudnnBackendDescriptor_t properties, cudnnBackendDescriptor_t heuristics, int *taken) {
    cudnnBackendDescriptor_t config[CONFIGS_MOST];
    int64_t room = 0, n = 0;
    cug_status st = CUG_OK;
    for (; room < CONFIGS_MOST; room++)
        if (api->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR, &config[room]) !=
            CUDNN_STATUS_SUCCESS)
            break;
    cudnnStatus_t s = api->cudnnBackendGetAttribute(heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS,
                                                    CUDNN_TYPE_BACKEND_DESCRIPTOR, room, &n, config);
    if (s != CUDNN_STATUS_SUCCESS) st = cug_cudnn_failed(api, "cudnnBackendGetAttribute", s);
    for (int64_t i = 0; i < n && i < room && st == CUG_OK && !*taken; i++)
        st = try_config(out, api, wish, properties, config[i], taken);
    for (int64_t i = 0; i < room; i++) (void)api->cudnnBackendDestroyDescriptor(config[i]);
    return st;
}

static cug_status try_mode(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                           cudnnBackendDescriptor_t properties, cudnnBackendHeurMode_t mode, int *taken) {
    cudnnBackendDescriptor_t heuristics = NULL;
    CUG_TRY(make(out, api, CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR, &heuristics));
    SET(heuristics, ENGINEHEUR_OPERATION_GRAPH, BACKEND_DESCRIPTOR, 1, &out->graph);
    SET(heuristics, ENGINEHEUR_MODE, HEUR_MODE, 1, &mode);
    SET(heuristics, ENGINEHEUR_DEVICEPROP, BACKEND_DESCRIPTOR, 1, &properties);
    const cudnnStatus_t s = api->cudnnBackendFinalize(heuristics);
    if (s != CUDNN_STATUS_SUCCESS) { /* a mode may have nothing to say about a graph */
        cug_status st = cug_cudnn_failed(api, "cudnnBackendFinalize", s);
        return st == CUG_ENOTSUP ? CUG_OK : st;
    }
    return try_list(out, api, wish, properties, heuristics, taken);
}

cug_status cug_cudnn_make_plan(cug_cudnn_plan *out, const cug_cudnn_api *api, const cug_cudnn_wish *wish,
                               cudnnBackendDescriptor_t properties) {
    int taken = 0;
    cug_status st = cug_cudnn_make_graph(out, api, wish);
    if (st == CUG_OK) st = try_mode(out, api, wish, properties, CUDNN_HEUR_MODE_A, &taken);
    if (st == CUG_OK && !taken) st = try_mode(out, api, wish, properties, CUDNN_HEUR_MODE_FALLBACK, &taken);
    if (st == CUG_OK && !taken)
        st = cug_fail(CUG_ENOTSUP, "cuDNN has no engine for this that is %s%s",
                      wish->nondeterministic ? "" : "deterministic and ",
                      wish->p.precision == CUG_PREC_FP32 ? "float32 throughout" : "free of half precision");
    if (st != CUG_OK) cug_cudnn_drop_plan(out, api);
    return st;
}

#endif
