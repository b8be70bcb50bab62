// cudnn.cpp - a stand-in for the part of cuDNN's graph API that convolutions need: descriptors with attributes,
// operation graphs of one convolution and perhaps an addition, engines with numerical notes, plans, execution in stream
// order.
//
// The heuristics offer what a careless caller would fall for, best first: half-precision products, sums in whatever
// order, TF32, Winograd, too much workspace, a plan that cannot be made. What such an engine may do to results, it
// does.
#include "cudnn_conv.h"

#if EMU_HAVE_LIBRARIES
#include <memory>

namespace emu {
namespace {
struct Desc;
typedef std::shared_ptr<Desc> Ref;

struct Value {
    int name, type;
    int64_t count;
    std::vector<char> bytes;
    std::vector<Ref> refs;
};

struct Desc {
    cudnnBackendDescriptorType_t type;
    bool finalized = false;
    std::vector<Value> value; // one for each attribute set
    int engine = -1;          // ENGINE, ENGINECFG and what is made from them
    Ref from;                 // ENGINE, ENGINECFG: the graph; PLAN: the configuration
    std::vector<int> engines; // ENGINEHEUR: what it offers
};

struct Context {
    cudaStream_t stream = nullptr;
};

// Vectors, not maps: those of the C++ library are not MemorySanitizer's to follow.
std::vector<Ref> &descs = *new std::vector<Ref>;
std::vector<Context *> &handles = *new std::vector<Context *>;
const char *last_error = "";

cudnnStatus_t refuse(cudnnStatus_t s, const char *why) {
    last_error = why;
    return s;
}

Ref find(void *p, const char *who) {
    for (const Ref &d : descs)
        if (d.get() == p) return d;
    fail("%s: descriptor %p was destroyed or never created", who, p);
}

const Value *value_of(const Desc &d, int name) {
    for (const Value &v : d.value)
        if (v.name == name) return &v;
    return nullptr;
}

Context *context_of(void *h, const char *who) {
    for (Context *c : handles)
        if (c == h) return c;
    fail("%s: handle %p was destroyed or never created", who, h);
}

size_t size_of(cudnnBackendAttributeType_t t) {
    switch (t) {
    case CUDNN_TYPE_BOOLEAN:
    case CUDNN_TYPE_CHAR:
        return 1;
    case CUDNN_TYPE_INT64:
    case CUDNN_TYPE_DOUBLE:
    case CUDNN_TYPE_VOID_PTR:
    case CUDNN_TYPE_HANDLE:
    case CUDNN_TYPE_BACKEND_DESCRIPTOR:
        return 8;
    default:
        return 4;
    }
}

template <class T> bool get(const Desc &d, int name, std::vector<T> *out) {
    const Value *v = value_of(d, name);
    if (!v || v->bytes.size() % sizeof(T)) return false;
    out->resize(v->bytes.size() / sizeof(T));
    memcpy(out->data(), v->bytes.data(), v->bytes.size());
    return true;
}
template <class T> T one(const Desc &d, int name, T otherwise) {
    std::vector<T> v;
    return get(d, name, &v) && v.size() == 1 ? v[0] : otherwise;
}
Ref child(const Desc &d, int name) {
    const Value *v = value_of(d, name);
    return !v || v->refs.empty() ? nullptr : v->refs[0];
}

// ---- graphs
// ----------------------------------------------------------------------------------------------------------
bool read_tensor(const Ref &d, Tensor *t) {
    if (!d || d->type != CUDNN_BACKEND_TENSOR_DESCRIPTOR || !d->finalized) return false;
    t->id = one<int64_t>(*d, CUDNN_ATTR_TENSOR_UNIQUE_ID, -1);
    t->alignment = one<int64_t>(*d, CUDNN_ATTR_TENSOR_BYTE_ALIGNMENT, 0);
    t->inside = one<char>(*d, CUDNN_ATTR_TENSOR_IS_VIRTUAL, 0) != 0;
    if (one<int>(*d, CUDNN_ATTR_TENSOR_DATA_TYPE, -1) != CUDNN_DATA_FLOAT || t->alignment < 4) return false;
    if (!get(*d, CUDNN_ATTR_TENSOR_DIMENSIONS, &t->dim) || !get(*d, CUDNN_ATTR_TENSOR_STRIDES, &t->stride))
        return false;
    if (t->dim.size() != 4 || t->stride.size() != 4) return false;
    for (size_t i = 0; i < 4; i++)
        if (t->dim[i] < 1 || t->stride[i] < 1) return false;
    return true;
}

bool pair_of(const Desc &d, int name, int64_t out[2]) {
    std::vector<int64_t> v;
    if (!get(d, name, &v) || v.size() != 2) return false;
    out[0] = v[0], out[1] = v[1];
    return true;
}

bool read_operation(const Ref &op, Convolution *c) {
    static const struct {
        int type, x, w, y, conv, alpha, beta;
    } kinds[] = {
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_W, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_Y,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_FORWARD_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DX,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_W, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_DATA_BETA},
        {CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_X,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DW, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_DY,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_CONV_DESC, CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_ALPHA,
         CUDNN_ATTR_OPERATION_CONVOLUTION_BWD_FILTER_BETA},
    };
    for (int role = 0; role < 3; role++) {
        const auto &k = kinds[role];
        if (op->type != k.type) continue;
        c->role = role;
        const Ref conv = child(*op, k.conv);
        if (!read_tensor(child(*op, k.x), &c->x) || !read_tensor(child(*op, k.w), &c->w) ||
            !read_tensor(child(*op, k.y), &c->y) || !conv || !conv->finalized)
            return false;
        c->alpha = one<float>(*op, k.alpha, 1);
        c->beta = one<float>(*op, k.beta, 0);
        std::vector<int64_t> dilation;
        if (one<int>(*conv, CUDNN_ATTR_CONVOLUTION_CONV_MODE, -1) != CUDNN_CROSS_CORRELATION ||
            one<int>(*conv, CUDNN_ATTR_CONVOLUTION_COMP_TYPE, -1) != CUDNN_DATA_FLOAT ||
            one<int64_t>(*conv, CUDNN_ATTR_CONVOLUTION_SPATIAL_DIMS, 0) != 2 ||
            !get(*conv, CUDNN_ATTR_CONVOLUTION_DILATIONS, &dilation) || dilation != std::vector<int64_t>{1, 1} ||
            !pair_of(*conv, CUDNN_ATTR_CONVOLUTION_FILTER_STRIDES, c->stride) ||
            !pair_of(*conv, CUDNN_ATTR_CONVOLUTION_PRE_PADDINGS, c->before) ||
            !pair_of(*conv, CUDNN_ATTR_CONVOLUTION_POST_PADDINGS, c->after))
            return false;
        for (size_t i = 0; i < 2; i++)
            if (c->y.dim[2 + i] != (c->x.dim[2 + i] + c->before[i] + c->after[i] - c->w.dim[2 + i]) / c->stride[i] + 1)
                return false;
        return c->x.dim[0] == c->y.dim[0] && c->x.dim[1] == c->w.dim[1] && c->w.dim[0] == c->y.dim[1];
    }
    return false;
}

// One convolution; behind a forward one perhaps the addition of one number a channel.
bool read_graph(const Ref &g, Convolution *c) {
    const Value *ops = value_of(*g, CUDNN_ATTR_OPERATIONGRAPH_OPS);
    if (!ops || ops->refs.empty() || ops->refs.size() > 2) return false;
    for (const Ref &op : ops->refs)
        if (!op->finalized) return false;
    if (!read_operation(ops->refs[0], c)) return false;
    if (ops->refs.size() == 1) return !c->x.inside && !c->w.inside && !c->y.inside;
    const Ref add = ops->refs[1], mode = child(*add, CUDNN_ATTR_OPERATION_POINTWISE_PW_DESCRIPTOR);
    Tensor from;
    c->sum = c->y;
    c->has_bias = true;
    return c->role == 0 && c->sum.inside && mode && mode->finalized &&
           one<int>(*mode, CUDNN_ATTR_POINTWISE_MODE, -1) == CUDNN_POINTWISE_ADD &&
           read_tensor(child(*add, CUDNN_ATTR_OPERATION_POINTWISE_XDESC), &from) && from.id == c->sum.id &&
           read_tensor(child(*add, CUDNN_ATTR_OPERATION_POINTWISE_BDESC), &c->bias) &&
           read_tensor(child(*add, CUDNN_ATTR_OPERATION_POINTWISE_YDESC), &c->y) && c->y.dim == c->sum.dim &&
           c->bias.dim == std::vector<int64_t>{1, c->y.dim[1], 1, 1};
}

// ---- the functions
// ---------------------------------------------------------------------------------------------------
cudnnStatus_t dnn_create(cudnnHandle_t *out) {
    if (!settings().devices) return refuse(CUDNN_STATUS_NOT_INITIALIZED, "no device");
    handles.push_back(new Context);
    memcpy(out, &handles.back(), sizeof *out);
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t dnn_destroy(cudnnHandle_t h) {
    Context *c = context_of(h, "cudnnDestroy");
    for (size_t i = 0; i < handles.size(); i++)
        if (handles[i] == c) handles.erase(handles.begin() + static_cast<std::ptrdiff_t>(i));
    delete c;
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t dnn_stream(cudnnHandle_t h, cudaStream_t s) {
    context_of(h, "cudnnSetStream")->stream = s;
    return CUDNN_STATUS_SUCCESS;
}
size_t dnn_version() { return CUDNN_VERSION; }
const char *dnn_text(cudnnStatus_t s) {
    return s == CUDNN_STATUS_SUCCESS         ? "CUDNN_STATUS_SUCCESS"
           : s == CUDNN_STATUS_NOT_SUPPORTED ? "CUDNN_STATUS_NOT_SUPPORTED"
                                             : "CUDNN_STATUS_BAD_PARAM";
}
void dnn_last_error(char *out, size_t n) {
    if (n) snprintf(out, n, "%s", last_error);
    last_error = "";
}

cudnnStatus_t desc_create(cudnnBackendDescriptorType_t type, cudnnBackendDescriptor_t *out) {
    Ref d = std::make_shared<Desc>();
    d->type = type;
    descs.push_back(d);
    *out = d.get();
    return CUDNN_STATUS_SUCCESS;
}
cudnnStatus_t desc_destroy(cudnnBackendDescriptor_t p) {
    const Ref d = find(p, "cudnnBackendDestroyDescriptor");
    for (size_t i = 0; i < descs.size(); i++)
        if (descs[i] == d) descs.erase(descs.begin() + static_cast<std::ptrdiff_t>(i));
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t desc_set(cudnnBackendDescriptor_t p, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                       int64_t count, const void *elements) {
    const char *who = "cudnnBackendSetAttribute";
    Ref d = find(p, who);
    if (d->finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is finalized");
    if (count < 1 || !elements) return refuse(CUDNN_STATUS_BAD_PARAM, "no elements");
    Value v{name, type, count, {}, {}};
    const char *bytes = static_cast<const char *>(elements);
    v.bytes.assign(bytes, bytes + static_cast<size_t>(count) * size_of(type));
    for (int64_t i = 0; type == CUDNN_TYPE_BACKEND_DESCRIPTOR && i < count; i++) {
        void *q;
        memcpy(&q, bytes + i * 8, sizeof q);
        v.refs.push_back(find(q, who));
        if (!v.refs.back()->finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "a descriptor that is not finalized");
    }
    for (Value &old : d->value)
        if (old.name == name) {
            old = v;
            return CUDNN_STATUS_SUCCESS;
        }
    d->value.push_back(v);
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t finish_plan(Desc *d) {
    const Ref config = child(*d, CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG);
    Convolution c;
    if (!config || !child(*d, CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP) || !read_graph(config->from, &c))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a plan without a configuration or a device");
    d->engine = config->engine;
    d->from = config->from;
    return can(d->engine, c) ? CUDNN_STATUS_SUCCESS : refuse(CUDNN_STATUS_NOT_SUPPORTED, "the engine cannot");
}

cudnnStatus_t desc_finalize(cudnnBackendDescriptor_t p) {
    Ref d = find(p, "cudnnBackendFinalize");
    Convolution c;
    Tensor t;
    cudnnStatus_t s = CUDNN_STATUS_SUCCESS;
    if (d->finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "finalized before");
    d->finalized = true; // the readers ask for it
    switch (d->type) {
    case CUDNN_BACKEND_TENSOR_DESCRIPTOR:
        if (!read_tensor(d, &t)) s = refuse(CUDNN_STATUS_BAD_PARAM, "not a tensor");
        break;
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_DATA_DESCRIPTOR:
    case CUDNN_BACKEND_OPERATION_CONVOLUTION_BACKWARD_FILTER_DESCRIPTOR:
        if (!read_operation(d, &c)) s = refuse(CUDNN_STATUS_BAD_PARAM, "extents do not fit");
        break;
    case CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR:
        if (!read_graph(d, &c)) s = refuse(CUDNN_STATUS_NOT_SUPPORTED, "not a graph the stand-in has");
        break;
    case CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR:
        context_of(one<void *>(*d, CUDNN_ATTR_DEVICEPROP_HANDLE, nullptr), "cudnnBackendFinalize");
        break;
    case CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR:
        d->from = child(*d, CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH);
        if (!d->from || !child(*d, CUDNN_ATTR_ENGINEHEUR_DEVICEPROP) || !read_graph(d->from, &c))
            s = refuse(CUDNN_STATUS_BAD_PARAM, "heuristics without a graph or a device");
        else
            d->engines = offer(static_cast<cudnnBackendHeurMode_t>(one<int>(*d, CUDNN_ATTR_ENGINEHEUR_MODE, -1)), c);
        if (s == CUDNN_STATUS_SUCCESS && d->engines.empty()) s = refuse(CUDNN_STATUS_NOT_SUPPORTED, "no engines");
        break;
    case CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR:
        s = finish_plan(d.get());
        break;
    default:
        break;
    }
    d->finalized = s == CUDNN_STATUS_SUCCESS;
    return s;
}

template <class T> cudnnStatus_t give(const std::vector<T> &v, int64_t room, int64_t *count, void *out) {
    if (count) *count = static_cast<int64_t>(v.size());
    const size_t n = static_cast<size_t>(room) < v.size() ? static_cast<size_t>(room) : v.size();
    if (n && !out) return refuse(CUDNN_STATUS_BAD_PARAM, "no place");
    if (n) memcpy(out, v.data(), n * sizeof(T));
    return CUDNN_STATUS_SUCCESS;
}

// Fills descriptors that the caller has created.
cudnnStatus_t give_engines(const Desc &d, int64_t room, int64_t *count, void *out) {
    int64_t n = 0;
    for (int e : d.engines) {
        if (n == room) break;
        void *p;
        memcpy(&p, static_cast<char *>(out) + 8 * n++, sizeof p);
        Ref r = find(p, "cudnnBackendGetAttribute");
        r->engine = e;
        r->from = d.from;
        r->finalized = true;
    }
    if (count) *count = n;
    return CUDNN_STATUS_SUCCESS;
}

cudnnStatus_t desc_get(cudnnBackendDescriptor_t p, cudnnBackendAttributeName_t name, cudnnBackendAttributeType_t type,
                       int64_t room, int64_t *count, void *out) {
    Ref d = find(p, "cudnnBackendGetAttribute");
    Convolution c;
    (void)type;
    if (!d->finalized) return refuse(CUDNN_STATUS_BAD_PARAM, "the descriptor is not finalized");
    switch (name) {
    case CUDNN_ATTR_ENGINEHEUR_RESULTS:
        return give_engines(*d, room, count, out);
    case CUDNN_ATTR_ENGINECFG_ENGINE: {
        Desc one_engine;
        one_engine.engines = {d->engine};
        one_engine.from = d->from;
        return give_engines(one_engine, room, count, out);
    }
    case CUDNN_ATTR_ENGINE_NUMERICAL_NOTE:
        return give(notes_of(d->engine), room, count, out);
    case CUDNN_ATTR_ENGINE_GLOBAL_INDEX:
        return give(std::vector<int64_t>{d->engine}, room, count, out);
    case CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE:
        if (!read_graph(d->from, &c)) fail("cudnnBackendGetAttribute: a plan without its graph");
        return give(std::vector<int64_t>{static_cast<int64_t>(workspace_of(d->engine, c))}, room, count, out);
    default:
        return refuse(CUDNN_STATUS_NOT_SUPPORTED, "an attribute the stand-in does not have");
    }
}

cudnnStatus_t execute(cudnnHandle_t handle, cudnnBackendDescriptor_t plan, cudnnBackendDescriptor_t pack) {
    const char *who = "cudnnBackendExecute";
    Entry entry(who);
    if (entry.injected != cudaSuccess) return refuse(CUDNN_STATUS_EXECUTION_FAILED, "injected");
    Context *h = context_of(handle, who);
    Ref d = find(plan, who), v = find(pack, who);
    std::vector<int64_t> ids;
    std::vector<char *> pointers;
    Work k{};
    if (!d->finalized || !v->finalized || !d->from || !read_graph(d->from, &k.c) ||
        !get(*v, CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, &ids) ||
        !get(*v, CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, &pointers) || ids.size() != pointers.size())
        return refuse(CUDNN_STATUS_BAD_PARAM, "no plan or no pack");
    k.engine = d->engine;
    k.workspace = one<float *>(*v, CUDNN_ATTR_VARIANT_PACK_WORKSPACE, nullptr);
    const size_t need = workspace_of(k.engine, k.c);
    std::vector<std::pair<const void *, size_t>> ranges;
    auto place = [&](const Tensor &t) -> float * {
        for (size_t i = 0; i < ids.size(); i++)
            if (ids[i] == t.id && reinterpret_cast<uintptr_t>(pointers[i]) % static_cast<size_t>(t.alignment) == 0) {
                ranges.push_back({pointers[i], t.bytes()});
                return reinterpret_cast<float *>(pointers[i]);
            }
        return nullptr;
    };
    k.x = place(k.c.x), k.w = place(k.c.w), k.y = place(k.c.y);
    if (k.c.has_bias) k.bias = place(k.c.bias);
    if (!k.x || !k.w || !k.y || (k.c.has_bias && !k.bias) || (need && !k.workspace))
        return refuse(CUDNN_STATUS_BAD_PARAM, "a tensor or the workspace is missing or misaligned");
    if (need) ranges.push_back({k.workspace, need});
    auto look = [ranges, who] {
        for (const auto &r : ranges) check_range(r.first, r.second, who);
    };
    look();
    Op op{};
    op.name = who;
    const char *const out = reinterpret_cast<char *>(k.c.role == 0 ? k.y : k.c.role == 1 ? k.x : k.w);
    op.work = [k, look, ranges, out](Lane *) {
        look();
        show();
        for (const auto &r : ranges) {
            const bool written = r.first == out || r.first == k.workspace;
            if (written) writes(const_cast<void *>(r.first), r.second);
            if (!written) reads(r.first, r.second);
        }
        hide();
        k.run();
    };
    enqueue(stream_of(h->stream, who), std::move(op));
    return CUDNN_STATUS_SUCCESS;
}
} // namespace

int live_cudnn() { return static_cast<int>(descs.size() + handles.size()); }

void *cudnn_function(const char *name) {
    static const Named all[] = {
        {"cudnnCreate", function_pointer(dnn_create)},
        {"cudnnDestroy", function_pointer(dnn_destroy)},
        {"cudnnSetStream", function_pointer(dnn_stream)},
        {"cudnnGetVersion", function_pointer(dnn_version)},
        {"cudnnGetErrorString", function_pointer(dnn_text)},
        {"cudnnGetLastErrorString", function_pointer(dnn_last_error)},
        {"cudnnBackendCreateDescriptor", function_pointer(desc_create)},
        {"cudnnBackendDestroyDescriptor", function_pointer(desc_destroy)},
        {"cudnnBackendSetAttribute", function_pointer(desc_set)},
        {"cudnnBackendGetAttribute", function_pointer(desc_get)},
        {"cudnnBackendFinalize", function_pointer(desc_finalize)},
        {"cudnnBackendExecute", function_pointer(execute)},
    };
    return function_named(all, name);
}
} // namespace emu

#else
namespace emu {
int live_cudnn() { return 0; }
void *cudnn_function(const char *) { return nullptr; }
} // namespace emu
#endif
