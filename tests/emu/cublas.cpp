// cublas.cpp - a stand-in for cuBLASLt's matmul: float32 matrices in columns, an optional bias epilogue, any
// transposes.
//
// The heuristics' first answer, where the caller allows it, is a split sum that adds in place: results then differ from
// run to run. Else the sum over k is split in two through the workspace, if that may be large enough.
#include "library.h"

#if EMU_HAVE_LIBRARIES
#include <memory>

namespace emu {
namespace {
int live; // handles, descriptors, layouts, preferences

enum Kind { HANDLE = 0x1701, DESC, LAYOUT, PREFERENCE, DEAD };

// What the opaque descriptors of 64 bytes and more point to.
struct Handle {
    Kind kind = HANDLE;
};
struct Desc {
    Kind kind = DESC;
    cublasComputeType_t compute;
    cublasOperation_t a = CUBLAS_OP_N, b = CUBLAS_OP_N;
    cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_DEFAULT;
    const void *bias = nullptr;
};
struct Layout {
    Kind kind = LAYOUT;
    uint64_t rows, cols;
    int64_t ld;
};
struct Preference {
    Kind kind = PREFERENCE;
    uint64_t workspace = 0;
    uint32_t schemes = CUBLASLT_REDUCTION_SCHEME_MASK, alignment = 256;
};
// What the eight words of an algorithm hold: the product it was made for, and how it adds.
struct Algo {
    uint32_t m, n, k, transposed, compute, scheme, alignment, mark;
    uint64_t workspace;
};
const uint32_t algo_mark = 0xa190;
static_assert(sizeof(Algo) <= sizeof(cublasLtMatmulAlgo_t), "fits");

template <class T> T *checked(const void *p, Kind kind, const char *who) {
    T *t = static_cast<T *>(const_cast<void *>(p));
    if (!t || t->kind != kind) fail("%s: %p is not a descriptor of the kind expected, or was destroyed", who, p);
    return t;
}

template <class T, class... A> cublasStatus_t create(void *out, A... a) {
    T *t = new T{};
    memcpy(out, &t, sizeof t);
    live++;
    (void)std::initializer_list<int>{(a(t), 0)...};
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> cublasStatus_t destroy(void *p, Kind kind, const char *who) {
    T *t = checked<T>(p, kind, who);
    t->kind = DEAD;
    delete t;
    live--;
    return CUBLAS_STATUS_SUCCESS;
}

template <class T> bool take(T *to, const void *from, size_t bytes) {
    if (bytes != sizeof *to) return false;
    memcpy(to, from, bytes);
    return true;
}

// m, n, k of a product whose matrices fit together; false: they do not.
bool extents(const Desc &d, const Layout &a, const Layout &b, const Layout &c, Algo *out) {
    const bool ta = d.a == CUBLAS_OP_T, tb = d.b == CUBLAS_OP_T;
    const uint64_t m = ta ? a.cols : a.rows, k = ta ? a.rows : a.cols, n = tb ? b.rows : b.cols;
    if ((tb ? b.cols : b.rows) != k || c.rows != m || c.cols != n) return false;
    for (const Layout *l : {&a, &b, &c})
        if (l->ld < static_cast<int64_t>(l->rows)) return false;
    *out = Algo{static_cast<uint32_t>(m),
                static_cast<uint32_t>(n),
                static_cast<uint32_t>(k),
                static_cast<uint32_t>(ta) | static_cast<uint32_t>(tb) << 1 | static_cast<uint32_t>(d.epilogue) << 2,
                static_cast<uint32_t>(d.compute),
                0,
                0,
                algo_mark,
                0};
    return true;
}

size_t bytes_of(const Layout &l) { return ((l.cols - 1) * static_cast<size_t>(l.ld) + l.rows) * sizeof(float); }

Rounding rounding_of(cublasComputeType_t t) {
    if (t == CUBLAS_COMPUTE_32F_FAST_TF32) return TF32;
    return t == CUBLAS_COMPUTE_32F_FAST_16BF ? BF16 : t == CUBLAS_COMPUTE_32F_FAST_16F ? HALF : EXACT;
}

struct Product {
    Algo algo;
    Layout a, b, c;
    Rounding rounding;
    const float *A, *B, *bias;
    float *D, *workspace, alpha, beta;

    float term(uint64_t i, uint64_t j, uint64_t t) const {
        const bool ta = algo.transposed & 1, tb = algo.transposed & 2;
        const float x = A[ta ? t + i * static_cast<uint64_t>(a.ld) : i + t * static_cast<uint64_t>(a.ld)];
        const float y = B[tb ? j + t * static_cast<uint64_t>(b.ld) : t + j * static_cast<uint64_t>(b.ld)];
        return rounded(x, rounding) * rounded(y, rounding);
    }
    // The sum over part of k, in double: the stand-in's own rounding is not what is tested.
    double sum(uint64_t i, uint64_t j, uint64_t from, uint64_t to) const {
        double s = 0;
        for (uint64_t t = from; t < to; t++) s += static_cast<double>(term(i, j, t));
        return s;
    }
    void run() const {
        const uint64_t m = algo.m, n = algo.n, k = algo.k;
        const bool split = algo.scheme == CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
        for (uint64_t j = 0; split && j < n; j++)
            for (uint64_t i = 0; i < m; i++) {
                workspace[i + j * m] = static_cast<float>(sum(i, j, 0, k / 2));
                workspace[m * n + i + j * m] = static_cast<float>(sum(i, j, k / 2, k));
            }
        const float noise = algo.scheme == CUBLASLT_REDUCTION_SCHEME_INPLACE ? disturbance() : 0;
        for (uint64_t j = 0; j < n; j++)
            for (uint64_t i = 0; i < m; i++) {
                float *d = &D[i + j * static_cast<uint64_t>(c.ld)];
                const double s = split ? static_cast<double>(workspace[i + j * m]) +
                                             static_cast<double>(workspace[m * n + i + j * m])
                                       : sum(i, j, 0, k);
                double v = static_cast<double>(alpha) * s + static_cast<double>(noise);
                if (beta != 0) v += static_cast<double>(beta) * static_cast<double>(*d);
                if (bias) v += static_cast<double>(bias[i]);
                *d = static_cast<float>(v);
            }
    }
};

// ---- the functions
// ---------------------------------------------------------------------------------------------------
cublasStatus_t lt_create(cublasLtHandle_t *out) {
    if (!settings().devices) return CUBLAS_STATUS_NOT_INITIALIZED;
    return create<Handle>(out);
}
cublasStatus_t lt_destroy(cublasLtHandle_t h) { return destroy<Handle>(h, HANDLE, "cublasLtDestroy"); }
size_t lt_version() { return CUBLAS_VERSION; }
const char *lt_text(cublasStatus_t s) {
    return s == CUBLAS_STATUS_SUCCESS         ? "success"
           : s == CUBLAS_STATUS_INVALID_VALUE ? "invalid value"
           : s == CUBLAS_STATUS_NOT_SUPPORTED ? "not supported"
                                              : "an error";
}

cublasStatus_t desc_create(cublasLtMatmulDesc_t *out, cublasComputeType_t compute, cudaDataType_t scale) {
    if (scale != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    return create<Desc>(out, [=](Desc *d) { d->compute = compute; });
}
cublasStatus_t desc_destroy(cublasLtMatmulDesc_t d) { return destroy<Desc>(d, DESC, "cublasLtMatmulDescDestroy"); }
cublasStatus_t desc_set(cublasLtMatmulDesc_t desc, cublasLtMatmulDescAttributes_t what, const void *value,
                        size_t bytes) {
    Desc *d = checked<Desc>(desc, DESC, "cublasLtMatmulDescSetAttribute");
    bool ok = false;
    if (what == CUBLASLT_MATMUL_DESC_TRANSA) ok = take(&d->a, value, bytes);
    if (what == CUBLASLT_MATMUL_DESC_TRANSB) ok = take(&d->b, value, bytes);
    if (what == CUBLASLT_MATMUL_DESC_EPILOGUE) ok = take(&d->epilogue, value, bytes);
    if (what == CUBLASLT_MATMUL_DESC_BIAS_POINTER) ok = take(&d->bias, value, bytes);
    return ok ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t layout_create(cublasLtMatrixLayout_t *out, cudaDataType type, uint64_t rows, uint64_t cols, int64_t ld) {
    if (type != CUDA_R_32F) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!rows || !cols || ld < static_cast<int64_t>(rows)) return CUBLAS_STATUS_INVALID_VALUE;
    return create<Layout>(out, [=](Layout *l) { l->rows = rows, l->cols = cols, l->ld = ld; });
}
cublasStatus_t layout_destroy(cublasLtMatrixLayout_t l) {
    return destroy<Layout>(l, LAYOUT, "cublasLtMatrixLayoutDestroy");
}

cublasStatus_t pref_create(cublasLtMatmulPreference_t *out) { return create<Preference>(out); }
cublasStatus_t pref_destroy(cublasLtMatmulPreference_t p) {
    return destroy<Preference>(p, PREFERENCE, "cublasLtMatmulPreferenceDestroy");
}
cublasStatus_t pref_set(cublasLtMatmulPreference_t pref, cublasLtMatmulPreferenceAttributes_t what, const void *value,
                        size_t bytes) {
    Preference *p = checked<Preference>(pref, PREFERENCE, "cublasLtMatmulPreferenceSetAttribute");
    bool ok = false;
    uint32_t alignment = 0;
    switch (what) {
    case CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES:
        ok = take(&p->workspace, value, bytes);
        break;
    case CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK:
        ok = take(&p->schemes, value, bytes);
        break;
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES:
    case CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES:
        ok = take(&alignment, value, bytes);
        if (ok && alignment < p->alignment) p->alignment = alignment;
        break;
    default:
        break;
    }
    return ok ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t heuristic(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, cublasLtMatrixLayout_t a,
                         cublasLtMatrixLayout_t b, cublasLtMatrixLayout_t c, cublasLtMatrixLayout_t d,
                         cublasLtMatmulPreference_t pref, int wanted, cublasLtMatmulHeuristicResult_t results[],
                         int *found) {
    const char *who = "cublasLtMatmulAlgoGetHeuristic";
    checked<Handle>(handle, HANDLE, who);
    const Desc &m = *checked<Desc>(desc, DESC, who);
    const Preference &p = *checked<Preference>(pref, PREFERENCE, who);
    Algo algo;
    *found = 0;
    if (wanted < 1 || c != d) return CUBLAS_STATUS_INVALID_VALUE;
    if (m.epilogue != CUBLASLT_EPILOGUE_DEFAULT && (m.epilogue != CUBLASLT_EPILOGUE_BIAS || !m.bias))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!extents(m, *checked<Layout>(a, LAYOUT, who), *checked<Layout>(b, LAYOUT, who),
                 *checked<Layout>(d, LAYOUT, who), &algo))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (m.epilogue == CUBLASLT_EPILOGUE_BIAS && algo.m % 2) return CUBLAS_STATUS_NOT_SUPPORTED; // odd rows: no bias
    const uint64_t need = 2 * sizeof(float) * static_cast<uint64_t>(algo.m) * algo.n;
    algo.alignment = p.alignment;
    if (p.schemes & CUBLASLT_REDUCTION_SCHEME_INPLACE) {
        algo.scheme = CUBLASLT_REDUCTION_SCHEME_INPLACE;
    } else if (p.schemes & CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE && algo.k > 1 && need <= p.workspace) {
        algo.scheme = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE;
        algo.workspace = need;
    }
    cublasLtMatmulHeuristicResult_t *r = &results[0];
    *r = cublasLtMatmulHeuristicResult_t();
    memcpy(&r->algo, &algo, sizeof algo);
    r->workspaceSize = algo.workspace;
    r->state = CUBLAS_STATUS_SUCCESS;
    r->wavesCount = 1;
    *found = 1;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t matmul(cublasLtHandle_t handle, cublasLtMatmulDesc_t desc, const void *alpha, const void *A,
                      cublasLtMatrixLayout_t a, const void *B, cublasLtMatrixLayout_t b, const void *beta,
                      const void *C, cublasLtMatrixLayout_t c, void *D, cublasLtMatrixLayout_t d,
                      const cublasLtMatmulAlgo_t *algo, void *workspace, size_t workspace_bytes, cudaStream_t stream) {
    const char *who = "cublasLtMatmul";
    Entry entry(who);
    if (entry.injected != cudaSuccess) return CUBLAS_STATUS_EXECUTION_FAILED;
    checked<Handle>(handle, HANDLE, who);
    const Desc &m = *checked<Desc>(desc, DESC, who);
    Product p{};
    p.a = *checked<Layout>(a, LAYOUT, who);
    p.b = *checked<Layout>(b, LAYOUT, who);
    p.c = *checked<Layout>(d, LAYOUT, who);
    if (C != D || c != d) return CUBLAS_STATUS_NOT_SUPPORTED;
    if (!extents(m, p.a, p.b, p.c, &p.algo) || !algo) return CUBLAS_STATUS_INVALID_VALUE;
    Algo made;
    memcpy(&made, algo, sizeof made);
    if (made.mark != algo_mark) fail("%s: an algorithm that no heuristics gave", who);
    if (made.m != p.algo.m || made.n != p.algo.n || made.k != p.algo.k || made.transposed != p.algo.transposed ||
        made.compute != p.algo.compute)
        fail("%s: an algorithm for m=%u n=%u k=%u is used for m=%u n=%u k=%u, or for another kind of product", who,
             made.m, made.n, made.k, p.algo.m, p.algo.n, p.algo.k);
    p.algo = made;
    if (workspace_bytes < made.workspace || (made.workspace && !workspace)) return CUBLAS_STATUS_INVALID_VALUE;
    for (const void *q : {A, B, static_cast<const void *>(D)})
        if (reinterpret_cast<uintptr_t>(q) % made.alignment) return CUBLAS_STATUS_INVALID_VALUE;
    p.rounding = rounding_of(m.compute);
    p.A = static_cast<const float *>(A);
    p.B = static_cast<const float *>(B);
    p.D = static_cast<float *>(D);
    p.bias = m.epilogue == CUBLASLT_EPILOGUE_BIAS ? static_cast<const float *>(m.bias) : nullptr;
    p.workspace = static_cast<float *>(workspace);
    p.alpha = *static_cast<const float *>(alpha);
    p.beta = *static_cast<const float *>(beta);
    auto look = [p, who] {
        check_range(p.A, bytes_of(p.a), who);
        check_range(p.B, bytes_of(p.b), who);
        check_range(p.D, bytes_of(p.c), who);
        if (p.bias) check_range(p.bias, p.algo.m * sizeof(float), who);
        if (p.algo.workspace) check_range(p.workspace, p.algo.workspace, who);
    };
    look();
    Op op{};
    op.name = who;
    op.work = [p, look](Lane *) {
        look(); // a graph may be launched long after its memory was freed
        show(); // to ThreadSanitizer, as a kernel's own loads and stores would be
        reads(p.A, bytes_of(p.a));
        reads(p.B, bytes_of(p.b));
        if (p.bias) reads(p.bias, p.algo.m * sizeof(float));
        if (p.algo.workspace) writes(p.workspace, p.algo.workspace);
        writes(p.D, bytes_of(p.c));
        hide();
        p.run();
    };
    enqueue(stream_of(stream, who), std::move(op));
    return CUBLAS_STATUS_SUCCESS;
}
} // namespace

int live_cublas() { return live; }

void *cublas_function(const char *name) {
    static const Named all[] = {
        {"cublasLtCreate", function_pointer(lt_create)},
        {"cublasLtDestroy", function_pointer(lt_destroy)},
        {"cublasLtGetVersion", function_pointer(lt_version)},
        {"cublasLtGetStatusString", function_pointer(lt_text)},
        {"cublasLtMatmul", function_pointer(matmul)},
        {"cublasLtMatmulAlgoGetHeuristic", function_pointer(heuristic)},
        {"cublasLtMatmulDescCreate", function_pointer(desc_create)},
        {"cublasLtMatmulDescDestroy", function_pointer(desc_destroy)},
        {"cublasLtMatmulDescSetAttribute", function_pointer(desc_set)},
        {"cublasLtMatmulPreferenceCreate", function_pointer(pref_create)},
        {"cublasLtMatmulPreferenceDestroy", function_pointer(pref_destroy)},
        {"cublasLtMatmulPreferenceSetAttribute", function_pointer(pref_set)},
        {"cublasLtMatrixLayoutCreate", function_pointer(layout_create)},
        {"cublasLtMatrixLayoutDestroy", function_pointer(layout_destroy)},
    };
    return function_named(all, name);
}
} // namespace emu

#else
namespace emu {
int live_cublas() { return 0; }
void *cublas_function(const char *) { return nullptr; }
} // namespace emu
#endif
