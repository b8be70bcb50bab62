/* test_cuda_cudnn.c - cuDNN itself, without a GPU: operation graphs of every convolution, and plans for the described
 * properties of one. Skipped where there is no cuDNN. Nothing is run: that needs the GPU. */
#include <criterion/criterion.h>
#include <cuglyph/backend.h>
#include <stdlib.h>
#include <string.h>

#if CUG_HAVE_CUDA
#include "cases/conv2d.h"
#include "cuda/cudnn_plan.h"

#if CUG_HAVE_CUDNN

/* What cuDNN's own errors ask for, one after another; an H100's figures. */
static const char h100[] =
    "{\"maxGridSize\":[2147483647,65535,65535],\"maxBlockSize\":[1024,1024,64],\"regsPerBlock\":65536,"
    "\"multiProcessorCount\":132,\"warpSize\":32,\"maxSharedMemoryPerBlock\":49152,"
    "\"maxSharedMemoryPerBlockOptin\":232448,\"reservedSharedMemoryPerBlock\":1024,\"maxRegistersPerSM\":65536,"
    "\"maxCtasPerSM\":32,\"maxThreadsPerBlock\":1024,\"maxThreadsPerSM\":2048,\"pciDeviceId\":0,\"isTccDriver\":0,"
    "\"supportCoopLaunch\":1,\"totalGlobalMem\":85029158912,\"smClockRateKHz\":1980000,\"memClockRateKHz\":2619000,"
    "\"l2CacheSize\":52428800,\"cudaDeviceId\":0,\"deviceVer\":900,\"driverVer\":13000,"
    "\"deviceName\":\"NVIDIA H100 80GB HBM3\"}";

/* The library; NULL where the emulator's stand-in would answer instead: the plain suite asks cuDNN itself. Where it is
 * missing the test ends here, as skipped. */
static const cug_cudnn_api *library(size_t *version) {
    const cug_backend *cuda = cug_backend_find("cuda");
    const cug_cudnn_api *api = NULL;
    cug_device *dev = NULL;
    if (cuda->open(&dev, &(cug_device_options){0}) == CUG_OK) {
        const int emulated = strstr(cuda->describe(dev), "emulated") != NULL;
        cuda->close(dev);
        if (emulated) return NULL;
    }
    if (cug_library_cudnn(&api, version) != CUG_OK) cr_skip_test("%s", cug_error());
    return api;
}

/* Every variation that a training step may ask for. */
static const struct {
    int role, bias, add;
} wishes[] = {{CUG_ROLE_FWD, 0, 0},   {CUG_ROLE_FWD, 1, 0},   {CUG_ROLE_DGRAD, 0, 0},
              {CUG_ROLE_DGRAD, 0, 1}, {CUG_ROLE_WGRAD, 0, 0}, {CUG_ROLE_WGRAD, 0, 1}};
enum { WISHES = sizeof wishes / sizeof *wishes };

static cug_cudnn_wish wish_of(int i, int which, cug_precision precision) {
    cug_conv2d_shape s = conv2d_cases[i].s;
    cr_assert_eq(cug_conv2d_shape_init(&s), CUG_OK);
    return (cug_cudnn_wish){.p = cug_product_conv(&s, (cug_role)wishes[which].role, precision),
                            .bias = wishes[which].bias,
                            .add = wishes[which].add};
}

Test(cuda_cudnn, operation_graphs_of_every_shape, .timeout = 300) {
    size_t version;
    const cug_cudnn_api *api = library(&version);
    if (!api) return;
    for (int i = 0; i < CONV2D_CASES; i++)
        for (int k = 0; k < WISHES; k++) {
            cug_cudnn_plan made;
            const cug_cudnn_wish wish = wish_of(i, k, CUG_PREC_FP32);
            cr_expect_eq(cug_cudnn_make_graph(&made, api, &wish), CUG_OK, "%s, wish %d: %s", conv2d_cases[i].name, k,
                         cug_error());
            int64_t engines = 0, n = 0;
            cr_expect_eq(api->cudnnBackendGetAttribute(made.graph, CUDNN_ATTR_OPERATIONGRAPH_ENGINE_GLOBAL_COUNT,
                                                       CUDNN_TYPE_INT64, 1, &n, &engines),
                         CUDNN_STATUS_SUCCESS);
            cr_expect_gt(engines, 0, "%s, wish %d: no engine knows such a graph", conv2d_cases[i].name, k);
            cug_cudnn_drop_plan(&made, api);
        }
}

static cudnnBackendDescriptor_t described(const cug_cudnn_api *api) {
    cudnnBackendDescriptor_t p = NULL;
    cr_assert_eq(api->cudnnBackendCreateDescriptor(CUDNN_BACKEND_DEVICEPROP_DESCRIPTOR, &p), CUDNN_STATUS_SUCCESS);
    cudnnStatus_t s = api->cudnnBackendSetAttribute(p, CUDNN_ATTR_DEVICEPROP_JSON_REPRESENTATION, CUDNN_TYPE_CHAR,
                                                    (int64_t)sizeof h100, h100);
    if (s == CUDNN_STATUS_SUCCESS) s = api->cudnnBackendFinalize(p);
    if (s != CUDNN_STATUS_SUCCESS) { /* another version may want more of a device */
        (void)cug_cudnn_failed(api, "cudnnBackendFinalize", s);
        cr_skip_test("this cuDNN reads device properties differently: %s", cug_error());
    }
    return p;
}

/* The notes of the engine that a plan was made with, looked up in the graph anew. */
static int notes_of(const cug_cudnn_api *api, const cug_cudnn_plan *made, cudnnBackendDescriptor_t properties,
                    cudnnBackendNumericalNote_t notes[16]) {
    cudnnBackendDescriptor_t engine = NULL;
    int64_t n = 0;
    cr_assert_eq(api->cudnnBackendCreateDescriptor(CUDNN_BACKEND_ENGINE_DESCRIPTOR, &engine), CUDNN_STATUS_SUCCESS);
    (void)api->cudnnBackendSetAttribute(engine, CUDNN_ATTR_ENGINE_OPERATION_GRAPH, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                        &made->graph);
    (void)api->cudnnBackendSetAttribute(engine, CUDNN_ATTR_ENGINE_GLOBAL_INDEX, CUDNN_TYPE_INT64, 1, &made->engine);
    (void)api->cudnnBackendSetAttribute(engine, CUDNN_ATTR_ENGINE_DEVICEPROP, CUDNN_TYPE_BACKEND_DESCRIPTOR, 1,
                                        &properties);
    cr_expect_eq(api->cudnnBackendFinalize(engine), CUDNN_STATUS_SUCCESS);
    cr_expect_eq(api->cudnnBackendGetAttribute(engine, CUDNN_ATTR_ENGINE_NUMERICAL_NOTE, CUDNN_TYPE_NUMERICAL_NOTE, 16,
                                               &n, notes),
                 CUDNN_STATUS_SUCCESS);
    (void)api->cudnnBackendDestroyDescriptor(engine);
    return (int)n;
}

/* 0: nothing was asked. */
static int plans_for(cug_precision precision, int *plans, int *without, int *tensor_cores) {
    size_t version;
    const cug_cudnn_api *api = library(&version);
    if (!api) return 0;
    cudnnBackendDescriptor_t properties = described(api);
    for (int i = 0; i < CONV2D_CASES; i++)
        for (int k = 0; k < WISHES; k++) {
            cug_cudnn_plan made;
            const cug_cudnn_wish wish = wish_of(i, k, precision);
            cudnnBackendNumericalNote_t notes[16];
            cug_status st = cug_cudnn_make_plan(&made, api, &wish, properties);
            cr_expect(st == CUG_OK || st == CUG_ENOTSUP, "%s, wish %d: %s", conv2d_cases[i].name, k, cug_error());
            *(st == CUG_OK ? plans : without) += 1;
            if (st != CUG_OK) continue;
            cr_expect_leq(made.workspace, CUG_LIBRARY_WORKSPACE_MOST);
            const int n = notes_of(api, &made, properties, notes);
            for (int j = 0; j < n; j++) {
                cr_expect(notes[j] == CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP ||
                              (notes[j] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE && precision != CUG_PREC_FP32),
                          "%s, wish %d: engine %d has note %d", conv2d_cases[i].name, k, (int)made.engine, notes[j]);
                *tensor_cores += notes[j] == CUDNN_NUMERICAL_NOTE_TENSOR_CORE;
            }
            cug_cudnn_drop_plan(&made, api);
        }
    (void)api->cudnnBackendDestroyDescriptor(properties);
    return 1;
}

/* An H100 that is not here: every shape of the table has a deterministic float32 plan, or its absence is said. */
Test(cuda_cudnn, plans_for_a_described_gpu, .timeout = 300) {
    int plans = 0, without = 0, tensor_cores = 0;
    if (!plans_for(CUG_PREC_FP32, &plans, &without, &tensor_cores)) return;
    cr_expect_geq(plans, CONV2D_CASES * WISHES * 9 / 10, "%d plans, %d products without one", plans, without);
    cr_expect_eq(tensor_cores, 0);
}

Test(cuda_cudnn, plans_with_tf32_use_tensor_cores, .timeout = 300) {
    int plans = 0, without = 0, tensor_cores = 0;
    if (!plans_for(CUG_PREC_TF32, &plans, &without, &tensor_cores)) return;
    cr_expect_geq(plans, CONV2D_CASES * WISHES * 9 / 10, "%d plans, %d products without one", plans, without);
    cr_expect_gt(tensor_cores, 0, "of %d plans", plans);
}

#endif
#endif
