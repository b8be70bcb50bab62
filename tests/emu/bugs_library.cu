// bugs_library.cu - the emulator held against bugs it must find: those of calls to cuBLASLt and cuDNN.
#include "bugs.h"
#include "emu/library.h"

#if EMU_HAVE_LIBRARIES

#define LIBRARY(name) reinterpret_cast<decltype(&name)>(emu::library_function(#name))
#define LT(name, ...) status(LIBRARY(name)(__VA_ARGS__) == CUBLAS_STATUS_SUCCESS, #name, __LINE__)
#define DNN(name, ...) status(LIBRARY(name)(__VA_ARGS__) == CUDNN_STATUS_SUCCESS, #name, __LINE__)

static void status(bool ok, const char *what, int line) {
    if (ok) return;
    fprintf(stderr, "line %d: %s refused\n", line, what);
    exit(2);
}

static cudaStream_t new_stream() {
    cudaStream_t s;
    OK(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking));
    return s;
}

static float *upload(const float *h, int n) {
    float *p = device_floats(n);
    OK(cudaMemcpy(p, h, static_cast<size_t>(n) * sizeof(float), cudaMemcpyHostToDevice));
    return p;
}

// A value that TF32 cannot hold.
static float fine(int i) { return static_cast<float>(i % 7 - 3) + 0x1p-12f; }

// ---- y = x w' + b, twice into the same place; x (4,6), w (6,6), b (6)
// ------------------------------------------------
enum { ROWS = 4, IN = 6, OUT = 6 };

static cublasLtMatmulAlgo_t ask(cublasLtHandle_t lt, cublasLtMatmulDesc_t desc, const cublasLtMatrixLayout_t l[3],
                                uint32_t schemes, size_t *workspace) {
    cublasLtMatmulPreference_t pref;
    cublasLtMatmulHeuristicResult_t r;
    const uint64_t most = 1 << 20;
    int found = 0;
    LT(cublasLtMatmulPreferenceCreate, &pref);
    LT(cublasLtMatmulPreferenceSetAttribute, pref, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES, &most, sizeof most);
    LT(cublasLtMatmulPreferenceSetAttribute, pref, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK, &schemes,
       sizeof schemes);
    LT(cublasLtMatmulAlgoGetHeuristic, lt, desc, l[0], l[1], l[2], l[2], pref, 1, &r, &found);
    LT(cublasLtMatmulPreferenceDestroy, pref);
    *workspace = r.workspaceSize;
    return r.algo;
}

int dense(int bug) {
    float x[ROWS * IN], w[OUT * IN], b[OUT], zero[OUT] = {};
    for (int i = 0; i < ROWS * IN; i++) x[i] = fine(i);
    for (int i = 0; i < OUT * IN; i++) w[i] = static_cast<float>((i * 5 + i / IN) % 7 - 3); // not symmetric
    for (int i = 0; i < OUT; i++) b[i] = static_cast<float>(i);
    float *dx = upload(x, ROWS * IN), *dw = upload(w, OUT * IN), *db = upload(b, OUT), *none = upload(zero, OUT);
    float *y[2] = {device_floats(ROWS * OUT), device_floats(ROWS * OUT)};
    cudaStream_t s = new_stream(), other = new_stream();
    cublasLtHandle_t lt;
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t l[3], fewer[3];
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t epilogue = CUBLASLT_EPILOGUE_BIAS;
    const float one = 1, beta = bug == 6 ? 1.0f : 0.0f; // bug 6: adds to what nobody wrote
    const void *bias = none;
    LT(cublasLtCreate, &lt);
    // bug 11: TF32
    LT(cublasLtMatmulDescCreate, &desc, bug == 11 ? CUBLAS_COMPUTE_32F_FAST_TF32 : CUBLAS_COMPUTE_32F_PEDANTIC,
       CUDA_R_32F);
    if (bug != 5) // bug 5: w as if it lay the other way
        LT(cublasLtMatmulDescSetAttribute, desc, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof transposed);
    LT(cublasLtMatmulDescSetAttribute, desc, CUBLASLT_MATMUL_DESC_EPILOGUE, &epilogue, sizeof epilogue);
    LT(cublasLtMatmulDescSetAttribute, desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
    LT(cublasLtMatrixLayoutCreate, &l[0], CUDA_R_32F, IN, OUT, IN);
    LT(cublasLtMatrixLayoutCreate, &l[1], CUDA_R_32F, IN, ROWS, IN);
    LT(cublasLtMatrixLayoutCreate, &l[2], CUDA_R_32F, OUT, ROWS, bug == 4 ? OUT + 1 : OUT); // bug 4: its rows are apart
    LT(cublasLtMatrixLayoutCreate, &fewer[1], CUDA_R_32F, IN, ROWS - 1, IN);
    LT(cublasLtMatrixLayoutCreate, &fewer[2], CUDA_R_32F, OUT, ROWS - 1, OUT);
    fewer[0] = l[0];
    size_t need;
    const uint32_t ordered = CUBLASLT_REDUCTION_SCHEME_COMPUTE_TYPE, any = CUBLASLT_REDUCTION_SCHEME_MASK;
    const cublasLtMatmulAlgo_t algo = ask(lt, desc, bug == 1 ? fewer : l, bug == 7 ? any : ordered, &need); // bugs 1, 7
    float *workspace = device_floats(static_cast<int>(bug == 3 ? need / 8 : need / 4) + 1);                 // bug 3
    for (int i = 0; i < 2; i++) {
        bias = db;
        if (bug != 9) // bug 9: the pointer stays
            LT(cublasLtMatmulDescSetAttribute, desc, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &bias, sizeof bias);
        LT(cublasLtMatmul, lt, desc, &one, dw, l[0], dx, l[1], &beta, y[i], l[2], y[i], l[2], &algo, workspace,
           bug == 2 ? need - 4 : need, bug == 8 ? other : s); // bug 2: less than it asked for; bug 8: the wrong stream
    }
    float h[2][ROWS * OUT];
    for (int i = 0; i < 2; i++)
        OK(cudaMemcpyAsync(h[i], y[i], sizeof h[i], cudaMemcpyDeviceToHost, s)); // pageable: waits
    int bad = 0;
    for (int n = 0; n < ROWS; n++)
        for (int o = 0; o < OUT; o++) {
            double want = static_cast<double>(b[o]);
            for (int i = 0; i < IN; i++)
                want += static_cast<double>(x[n * IN + i]) * static_cast<double>(w[o * IN + i]);
            for (int i = 0; i < 2; i++) bad |= !(fabs(static_cast<double>(h[i][n * OUT + o]) - want) < 1e-5);
        }
    OK(cudaDeviceSynchronize());
    for (float *p : {dx, dw, db, none, y[0], y[1], workspace}) OK(cudaFree(p));
    for (int i = bug == 10 ? 1 : 0; i < 3; i++) LT(cublasLtMatrixLayoutDestroy, l[i]); // bug 10: one is left
    for (int i = 1; i < 3; i++) LT(cublasLtMatrixLayoutDestroy, fewer[i]);
    LT(cublasLtMatmulDescDestroy, desc);
    LT(cublasLtDestroy, lt);
    OK(cudaStreamDestroy(s));
    OK(cudaStreamDestroy(other));
    return bad;
}

// ---- y = conv(x, w), 3x3 on NHWC images of 2 channels
// ------------------------------------------------------------------
enum { SIDE = 5, CHANNELS = 2, FILTERS = 4, PLACES = SIDE - 2 };
typedef cudnnBackendDescriptor_t Desc;
static Desc made[32];
static int n_made;

static Desc create(cudnnBackendDescriptorType_t type) {
    DNN(cudnnBackendCreateDescriptor, type, &made[n_made]);
    return made[n_made++];
}
#define SET(d, name, type, count, value)                                                                               \
    DNN(cudnnBackendSetAttribute, d, CUDNN_ATTR_##name, CUDNN_TYPE_##type, count, value)

static Desc tensor(int64_t id, int64_t n, int64_t c, int64_t h, int64_t w, bool planes) {
    const int64_t dims[4] = {n, c, h, w}, nhwc[4] = {c * h * w, 1, w * c, c}, nchw[4] = {c * h * w, h * w, w, 1};
    const int64_t aligned = 16;
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const Desc d = create(CUDNN_BACKEND_TENSOR_DESCRIPTOR);
    SET(d, TENSOR_DATA_TYPE, DATA_TYPE, 1, &type);
    SET(d, TENSOR_DIMENSIONS, INT64, 4, dims);
    SET(d, TENSOR_STRIDES, INT64, 4, planes ? nchw : nhwc);
    SET(d, TENSOR_UNIQUE_ID, INT64, 1, &id);
    SET(d, TENSOR_BYTE_ALIGNMENT, INT64, 1, &aligned);
    DNN(cudnnBackendFinalize, d);
    return d;
}

static Desc graph_for(int images, bool planes, float beta) {
    const int64_t two = 2, ones[2] = {1, 1}, zeros[2] = {0, 0};
    const cudnnDataType_t type = CUDNN_DATA_FLOAT;
    const cudnnConvolutionMode_t mode = CUDNN_CROSS_CORRELATION;
    const float one = 1;
    const Desc x = tensor('x', images, CHANNELS, SIDE, SIDE, planes), w = tensor('w', FILTERS, CHANNELS, 3, 3, false),
               y = tensor('y', images, FILTERS, PLACES, PLACES, false);
    const Desc c = create(CUDNN_BACKEND_CONVOLUTION_DESCRIPTOR);
    SET(c, CONVOLUTION_SPATIAL_DIMS, INT64, 1, &two);
    SET(c, CONVOLUTION_COMP_TYPE, DATA_TYPE, 1, &type);
    SET(c, CONVOLUTION_CONV_MODE, CONVOLUTION_MODE, 1, &mode);
    SET(c, CONVOLUTION_DILATIONS, INT64, 2, ones);
    SET(c, CONVOLUTION_FILTER_STRIDES, INT64, 2, ones);
    SET(c, CONVOLUTION_PRE_PADDINGS, INT64, 2, zeros);
    SET(c, CONVOLUTION_POST_PADDINGS, INT64, 2, zeros);
    DNN(cudnnBackendFinalize, c);
    const Desc op = create(CUDNN_BACKEND_OPERATION_CONVOLUTION_FORWARD_DESCRIPTOR);
    SET(op, OPERATION_CONVOLUTION_FORWARD_X, BACKEND_DESCRIPTOR, 1, &x);
    SET(op, OPERATION_CONVOLUTION_FORWARD_W, BACKEND_DESCRIPTOR, 1, &w);
    SET(op, OPERATION_CONVOLUTION_FORWARD_Y, BACKEND_DESCRIPTOR, 1, &y);
    SET(op, OPERATION_CONVOLUTION_FORWARD_CONV_DESC, BACKEND_DESCRIPTOR, 1, &c);
    SET(op, OPERATION_CONVOLUTION_FORWARD_ALPHA, FLOAT, 1, &one);
    SET(op, OPERATION_CONVOLUTION_FORWARD_BETA, FLOAT, 1, &beta);
    DNN(cudnnBackendFinalize, op);
    const Desc g = create(CUDNN_BACKEND_OPERATIONGRAPH_DESCRIPTOR);
    SET(g, OPERATIONGRAPH_OPS, BACKEND_DESCRIPTOR, 1, &op);
    DNN(cudnnBackendFinalize, g);
    return g;
}

// A plan by the first engine that has exactly the note wanted (-1: none) and at most a megabyte of workspace.
static Desc plan_for(Desc graph, Desc properties, int wanted, size_t *need) {
    const cudnnBackendHeurMode_t mode = CUDNN_HEUR_MODE_A;
    const Desc heuristics = create(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
    SET(heuristics, ENGINEHEUR_OPERATION_GRAPH, BACKEND_DESCRIPTOR, 1, &graph);
    SET(heuristics, ENGINEHEUR_MODE, HEUR_MODE, 1, &mode);
    SET(heuristics, ENGINEHEUR_DEVICEPROP, BACKEND_DESCRIPTOR, 1, &properties);
    DNN(cudnnBackendFinalize, heuristics);
    Desc config[8];
    for (Desc &d : config) d = create(CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
    int64_t n = 0, k = 0, bytes = 0;
    DNN(cudnnBackendGetAttribute, heuristics, CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_TYPE_BACKEND_DESCRIPTOR, 8, &n,
        config);
    for (int64_t i = 0; i < n; i++) {
        Desc engine, plan;
        cudnnBackendNumericalNote_t notes[8];
        DNN(cudnnBackendCreateDescriptor, CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine);
        DNN(cudnnBackendGetAttribute, config[i], CUDNN_ATTR_ENGINECFG_ENGINE, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1, &k,
            &engine);
        DNN(cudnnBackendGetAttribute, engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 8, &k,
            notes);
        DNN(cudnnBackendDestroyDescriptor, engine);
        if (wanted < 0 ? k != 0 : k != 1 || notes[0] != wanted) continue;
        DNN(cudnnBackendCreateDescriptor, CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR, &plan);
        SET(plan, EXECUTION_PLAN_ENGINE_CONFIG, BACKEND_DESCRIPTOR, 1, &config[i]);
        SET(plan, EXECUTION_PLAN_DEVICEPROP, BACKEND_DESCRIPTOR, 1, &properties);
        bytes = 1 << 30;
        if (LIBRARY(cudnnBackendFinalize)(plan) == CUDNN_STATUS_SUCCESS)
            DNN(cudnnBackendGetAttribute, plan, CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE, CUDNN_TYPE_INT64, 1, &k,
                &bytes);
        *need = static_cast<size_t>(bytes);
        if (bytes <= 1 << 20) return plan;
        DNN(cudnnBackendDestroyDescriptor, plan);
    }
    status(false, "every engine", __LINE__);
    return nullptr;
}

int convolution(int bug) {
    enum {
        IMAGES = 3,
        X = IMAGES * SIDE * SIDE * CHANNELS,
        W = FILTERS * 9 * CHANNELS,
        Y = IMAGES * PLACES * PLACES * FILTERS
    };
    float x[X], w[W], h[2][Y];
    for (int i = 0; i < X; i++) x[i] = fine(i * i);
    for (int i = 0; i < W; i++) w[i] = static_cast<float>(i % 5 - 2);
    float *dx = upload(x, X), *dw = upload(w, W), *y[2] = {device_floats(Y), device_floats(Y)};
    cudaStream_t s = new_stream();
    cudnnHandle_t handle;
    size_t need = 0;
    DNN(cudnnCreate, &handle);
    if (bug != 7) DNN(cudnnSetStream, handle, s); // bug 7: the default stream, which nobody waits for
    const Desc properties = create(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR);
    SET(properties, DEVICEPROP_HANDLE, HANDLE, 1, &handle);
    DNN(cudnnBackendFinalize, properties);
    // bug 1: of the short last batch; bug 3: as if x were NCHW; bug 10: for gradients that add up
    const Desc graph = graph_for(bug == 1 ? IMAGES - 1 : IMAGES, bug == 3, bug == 10 ? 1.0f : 0.0f);
    const int note = bug == 5   ? CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC
                     : bug == 6 ? CUDNN_NUMERICAL_NOTE_TENSOR_CORE
                                : -1; // bugs 5 and 6: their notes are not read
    const Desc plan = plan_for(graph, properties, note, &need);
    float *workspace = device_floats(static_cast<int>(bug == 2 ? need / 8 : need / 4) + 1); // bug 2
    if (bug == 8) DNN(cudnnBackendDestroyDescriptor, plan);
    for (int i = 0; i < 2; i++) {
        const int64_t ids[3] = {'x', 'w', 'y'};
        const void *pointers[3] = {bug == 4 ? dw : dx, bug == 4 ? dx : dw, y[i]}; // bug 4
        const void *scratch = workspace;
        const Desc pack = create(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
        SET(pack, VARIANT_PACK_UNIQUE_IDS, INT64, 3, ids);
        SET(pack, VARIANT_PACK_DATA_POINTERS, VOID_PTR, 3, pointers);
        SET(pack, VARIANT_PACK_WORKSPACE, VOID_PTR, 1, &scratch);
        DNN(cudnnBackendFinalize, pack);
        DNN(cudnnBackendExecute, handle, plan, pack);
        OK(cudaMemcpyAsync(h[i], y[i], sizeof h[i], cudaMemcpyDeviceToHost, s)); // pageable: waits
    }
    int bad = 0;
    for (int o = 0; o < Y; o++) {
        const int k = o % FILTERS, q = o / FILTERS % PLACES, p = o / FILTERS / PLACES % PLACES,
                  n = o / FILTERS / PLACES / PLACES;
        double want = 0;
        for (int t = 0; t < 9 * CHANNELS; t++) {
            const int c = t % CHANNELS, v = t / CHANNELS % 3, r = t / CHANNELS / 3;
            want += static_cast<double>(x[((n * SIDE + p + r) * SIDE + q + v) * CHANNELS + c]) *
                    static_cast<double>(w[((k * 3 + r) * 3 + v) * CHANNELS + c]);
        }
        for (int i = 0; i < 2; i++) bad |= !(fabs(static_cast<double>(h[i][o]) - want) < 1e-5);
    }
    OK(cudaDeviceSynchronize());
    for (float *p : {dx, dw, y[0], y[1], workspace}) OK(cudaFree(p));
    if (bug != 8 && bug != 9) DNN(cudnnBackendDestroyDescriptor, plan);
    while (n_made) DNN(cudnnBackendDestroyDescriptor, made[--n_made]);
    DNN(cudnnDestroy, handle);
    OK(cudaStreamDestroy(s));
    return bad;
}
#endif
