/* library.h - the vendor's libraries, cuBLASLt and cuDNN, opened while the program runs. Nothing links against them:
 * their headers give the types, the loader gives the functions, and a program that never asks never opens them. */
#ifndef CUG_CUDA_LIBRARY_H
#define CUG_CUDA_LIBRARY_H

#include <cuglyph/exec.h>
#include <stddef.h>

#if defined __has_include
#if __has_include(<cublasLt.h>)
#include <cublasLt.h>
#define CUG_HAVE_CUBLAS 1
#endif
#if __has_include(<cudnn_graph.h>)
#include <cudnn_graph.h>
#if CUDNN_VERSION >= 90800
#define CUG_HAVE_CUDNN 1
#endif
#endif
#endif

/* What is called in each; a function that is missing makes the library unusable. */
#define CUG_CUBLAS_FUNCTIONS(X)                                                                                        \
    X(cublasLtCreate)                                                                                                  \
    X(cublasLtDestroy)                                                                                                 \
    X(cublasLtGetVersion)                                                                                              \
    X(cublasLtGetStatusString)                                                                                         \
    X(cublasLtMatmul)                                                                                                  \
    X(cublasLtMatmulAlgoGetHeuristic)                                                                                  \
    X(cublasLtMatmulDescCreate)                                                                                        \
    X(cublasLtMatmulDescDestroy)                                                                                       \
    X(cublasLtMatmulDescSetAttribute)                                                                                  \
    X(cublasLtMatmulPreferenceCreate)                                                                                  \
    X(cublasLtMatmulPreferenceDestroy)                                                                                 \
    X(cublasLtMatmulPreferenceSetAttribute)                                                                            \
    X(cublasLtMatrixLayoutCreate)                                                                                      \
    X(cublasLtMatrixLayoutDestroy)

#define CUG_CUDNN_FUNCTIONS(X)                                                                                         \
    X(cudnnCreate)                                                                                                     \
    X(cudnnDestroy)                                                                                                    \
    X(cudnnSetStream)                                                                                                  \
    X(cudnnGetVersion)                                                                                                 \
    X(cudnnGetErrorString)                                                                                             \
    X(cudnnGetLastErrorString)                                                                                         \
    X(cudnnBackendCreateDescriptor)                                                                                    \
    X(cudnnBackendDestroyDescriptor)                                                                                   \
    X(cudnnBackendSetAttribute)                                                                                        \
    X(cudnnBackendGetAttribute)                                                                                        \
    X(cudnnBackendFinalize)                                                                                            \
    X(cudnnBackendExecute)

#define CUG_LIBRARY_POINTER(name) __typeof__(&name) name;
#if CUG_HAVE_CUBLAS
typedef struct cug_cublas_api {
    CUG_CUBLAS_FUNCTIONS(CUG_LIBRARY_POINTER)
} cug_cublas_api;
#else
typedef struct cug_cublas_api cug_cublas_api;
#endif
#if CUG_HAVE_CUDNN
typedef struct cug_cudnn_api {
    CUG_CUDNN_FUNCTIONS(CUG_LIBRARY_POINTER)
} cug_cudnn_api;
#else
typedef struct cug_cudnn_api cug_cudnn_api;
#endif

/* The functions, and cublasLtGetVersion's (cudnnGetVersion's) number. Opened by the first call of the process and kept;
 * a failure is kept as well and told again. Looked for in $CUGLYPH_CUBLAS ($CUGLYPH_CUDNN), the file or its folder, and
 * then nowhere else; by the loader's own rules; in lib64 of $CUDA_HOME, $CUDA_PATH and /usr/local/cuda; in the
 * nvidia/X/lib folders of Python's packages: $VIRTUAL_ENV, $CONDA_PREFIX, ~/.local, every python3 on PATH, the system.
 * CUG_ENOENT, in one line: not there, not a version that will do, lacks a function, or this build had no header. */
cug_status cug_library_cublas(const cug_cublas_api **out, size_t *version);
cug_status cug_library_cudnn(const cug_cudnn_api **out, size_t *version);

/* What the functions are taken from instead, for both libraries: the emulator's stand-ins. NULL: the libraries. Not
 * while a device is open; forgets what was opened before. */
typedef void *cug_library_finder(const char *function);
void cug_library_source(cug_library_finder *find);

#endif
