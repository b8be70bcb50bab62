/* library.c - finding and opening cuBLASLt and cuDNN. */
#include "cuda/library.h"
#include <dlfcn.h>
#include <glob.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* One library: what it is called, what is wanted of it, and what became of opening it. */
typedef struct vendor_library {
    const char *name, *variable, *install;
    const char *const *files;     /* in order of preference, NULL at the end */
    const char *const *functions; /* in the order of the table, NULL at the end */
    const char *version_function;
    size_t least, below; /* versions that will do: least <= v < below */
    const char *versions;
    int asked; /* opened or refused */
    cug_status status;
    size_t version;
    char told[900];
    void *table; /* of function pointers, in the order of `functions` */
} vendor_library;

#define FUNCTION_NAME(name) #name,
#if CUG_HAVE_CUBLAS
static const char *const cublas_files[] = {"libcublasLt.so.13", "libcublasLt.so.12", NULL};
static const char *const cublas_functions[] = {CUG_CUBLAS_FUNCTIONS(FUNCTION_NAME) NULL};
static cug_cublas_api cublas_table;
static vendor_library cublas = {.name = "cuBLASLt",
                                .variable = "CUGLYPH_CUBLAS",
                                .install = "install CUDA's cuBLAS or the Python package nvidia-cublas",
                                .files = cublas_files,
                                .functions = cublas_functions,
                                .version_function = "cublasLtGetVersion",
                                .least = 120000,
                                .below = 140000,
                                .versions = "12 or 13",
                                .table = &cublas_table};
_Static_assert(sizeof cublas_table == sizeof cublas_functions - sizeof *cublas_functions, "one pointer a function");
#endif
#if CUG_HAVE_CUDNN
static const char *const cudnn_files[] = {"libcudnn.so.9", NULL};
static const char *const cudnn_functions[] = {CUG_CUDNN_FUNCTIONS(FUNCTION_NAME) NULL};
static cug_cudnn_api cudnn_table;
static vendor_library cudnn = {.name = "cuDNN",
                               .variable = "CUGLYPH_CUDNN",
                               .install = "install NVIDIA's cuDNN 9 or the Python package nvidia-cudnn-cu13",
                               .files = cudnn_files,
                               .functions = cudnn_functions,
                               .version_function = "cudnnGetVersion",
                               .least = 90800, /* the first that makes plans from a device's properties */
                               .below = 100000,
                               .versions = "9.8 or newer, before 10",
                               .table = &cudnn_table};
_Static_assert(sizeof cudnn_table == sizeof cudnn_functions - sizeof *cudnn_functions, "one pointer a function");
#endif

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static cug_library_finder *source;

#if CUG_HAVE_CUBLAS || CUG_HAVE_CUDNN
/* Says what is wrong with what lies at `where`. */
static cug_status unusable(vendor_library *lib, const char *where, const char *what) {
    snprintf(lib->told, sizeof lib->told, "%s: %.500s: %.200s; %s", lib->name, where, what, lib->install);
    return CUG_ENOENT;
}

/* Fills the table; all functions or none. */
static cug_status take_functions(vendor_library *lib, void *handle, const char *where) {
    size_t (*version)(void) = NULL;
    void *p = NULL;
    for (int i = 0; lib->functions[i]; i++) {
        char missing[128];
        p = source ? source(lib->functions[i]) : dlsym(handle, lib->functions[i]);
        memcpy((char *)lib->table + (size_t)i * sizeof p, &p, sizeof p); /* POSIX: as wide as a function's */
        if (p) continue;
        snprintf(missing, sizeof missing, "has no function %s", lib->functions[i]);
        return unusable(lib, where, missing);
    }
    p = source ? source(lib->version_function) : dlsym(handle, lib->version_function);
    memcpy(&version, &p, sizeof p);
    lib->version = version();
    if (lib->version >= lib->least && lib->version < lib->below) return CUG_OK;
    char what[128];
    snprintf(what, sizeof what, "is version %zu, needed is %s", lib->version, lib->versions);
    return unusable(lib, where, what);
}

static cug_status open_file(vendor_library *lib, const char *path) {
    void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        const char *why = dlerror();
        return unusable(lib, path, why ? why : "does not open");
    }
    cug_status st = take_functions(lib, handle, path);
    if (st != CUG_OK) dlclose(handle);
    return st; /* else it stays open to the end: both libraries keep threads and handlers of their own */
}

/* The variable names the file, or the folder with the file. */
static cug_status open_named(vendor_library *lib, const char *named) {
    struct stat s;
    if (stat(named, &s) != 0) return unusable(lib, named, "is not there, and the environment names it");
    if (!S_ISDIR(s.st_mode)) return open_file(lib, named);
    for (int i = 0; lib->files[i]; i++) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", named, lib->files[i]);
        if (stat(path, &s) == 0) return open_file(lib, path);
    }
    return unusable(lib, named, "is a folder without the library, and the environment names it");
}

/* The first match of folder/pattern/file that opens; CUG_ENOENT. */
static cug_status open_matching(vendor_library *lib, const char *folder, const char *pattern) {
    cug_status st = CUG_ENOENT;
    for (int i = 0; lib->files[i] && st != CUG_OK; i++) {
        char wanted[PATH_MAX];
        glob_t found;
        if (snprintf(wanted, sizeof wanted, "%s%s/%s", folder, pattern, lib->files[i]) >= (int)sizeof wanted) continue;
        if (glob(wanted, 0, NULL, &found) != 0) continue;
        for (size_t k = 0; k < found.gl_pathc && st != CUG_OK; k++) st = open_file(lib, found.gl_pathv[k]);
        globfree(&found);
    }
    return st;
}

static const char site_packages[] = "/lib/python3*/site-packages/nvidia/*/lib";

/* The environments of every python3 on PATH: PREFIX/bin/python3 has PREFIX/lib/python3.N/site-packages. */
static cug_status open_on_path(vendor_library *lib) {
    const char *path = getenv("PATH");
    char *folders = path ? strdup(path) : NULL, *save = NULL;
    cug_status st = CUG_ENOENT;
    for (char *f = folders ? strtok_r(folders, ":", &save) : NULL; f && st != CUG_OK; f = strtok_r(NULL, ":", &save)) {
        char file[PATH_MAX];
        struct stat s;
        if (snprintf(file, sizeof file, "%s/python3", f) >= (int)sizeof file || stat(file, &s) != 0) continue;
        char *slash = strrchr(f, '/');
        if (!slash || strcmp(slash, "/bin") != 0) continue;
        *slash = 0;
        st = open_matching(lib, f, site_packages);
    }
    free(folders);
    return st;
}

static cug_status open_in_python(vendor_library *lib) {
    static const char *const variables[] = {"VIRTUAL_ENV", "CONDA_PREFIX"};
    static const char *const system[] = {"/lib/python3*/dist-packages/nvidia/*/lib",
                                         "/lib/python3/dist-packages/nvidia/*/lib", site_packages};
    for (int i = 0; i < 2; i++) {
        const char *root = getenv(variables[i]);
        if (!root || !*root) continue;
        if (open_matching(lib, root, site_packages) == CUG_OK || open_matching(lib, root, "/lib") == CUG_OK)
            return CUG_OK;
    }
    const char *home = getenv("HOME");
    char local[PATH_MAX];
    if (home && *home && snprintf(local, sizeof local, "%s/.local", home) < (int)sizeof local &&
        open_matching(lib, local, site_packages) == CUG_OK)
        return CUG_OK;
    if (open_on_path(lib) == CUG_OK) return CUG_OK;
    for (size_t i = 0; i < sizeof system / sizeof *system; i++)
        if (open_matching(lib, "/usr/local", system[i]) == CUG_OK || open_matching(lib, "/usr", system[i]) == CUG_OK)
            return CUG_OK;
    return CUG_ENOENT;
}

static cug_status open_anywhere(vendor_library *lib) {
    const char *named = getenv(lib->variable);
    if (named && *named) return open_named(lib, named);
    for (int i = 0; lib->files[i]; i++) {
        void *handle = dlopen(lib->files[i], RTLD_NOW | RTLD_LOCAL);
        if (!handle) continue;
        if (take_functions(lib, handle, lib->files[i]) == CUG_OK) return CUG_OK;
        dlclose(handle);
    }
    static const char *const toolkits[] = {"CUDA_HOME", "CUDA_PATH"};
    for (int i = 0; i < 3; i++) {
        const char *home = i < 2 ? getenv(toolkits[i]) : "/usr/local/cuda";
        if (home && *home && open_matching(lib, home, "/lib64") == CUG_OK) return CUG_OK;
    }
    if (open_in_python(lib) == CUG_OK) return CUG_OK;
    if (lib->told[0]) return CUG_ENOENT; /* one was there and would not do: that is the line to read */
    snprintf(lib->told, sizeof lib->told,
             "%s not found: no %s where the loader looks, in CUDA_HOME/lib64, /usr/local/cuda/lib64 or Python's "
             "nvidia/*/lib folders; %s, or set %s to its path",
             lib->name, lib->files[0], lib->install, lib->variable);
    return CUG_ENOENT;
}

/* Once; the answer is kept. */
static cug_status ask(vendor_library *lib, size_t *version) {
    pthread_mutex_lock(&lock);
    if (!lib->asked) {
        lib->told[0] = 0;
        lib->status = source ? take_functions(lib, NULL, "the stand-in") : open_anywhere(lib);
        lib->asked = 1;
    }
    pthread_mutex_unlock(&lock);
    *version = lib->version;
    return lib->status == CUG_OK ? CUG_OK : cug_fail(lib->status, "%s", lib->told);
}
#endif

cug_status cug_library_cublas(const cug_cublas_api **out, size_t *version) {
    *out = NULL;
    *version = 0;
#if CUG_HAVE_CUBLAS
    CUG_TRY(ask(&cublas, version));
    *out = &cublas_table;
    return CUG_OK;
#else
    return cug_fail(CUG_ENOENT, "cuBLASLt: this build has no part for it: cublasLt.h was missing; build again with the "
                                "CUDA toolkit's cuBLAS headers");
#endif
}

cug_status cug_library_cudnn(const cug_cudnn_api **out, size_t *version) {
    *out = NULL;
    *version = 0;
#if CUG_HAVE_CUDNN
    CUG_TRY(ask(&cudnn, version));
    *out = &cudnn_table;
    return CUG_OK;
#else
    return cug_fail(CUG_ENOENT,
                    "cuDNN: this build has no part for it: cudnn_graph.h of 9.8 or newer was missing; build "
                    "again with cuDNN's headers");
#endif
}

void cug_library_source(cug_library_finder *find) {
    pthread_mutex_lock(&lock);
    source = find;
#if CUG_HAVE_CUBLAS
    cublas.asked = 0;
#endif
#if CUG_HAVE_CUDNN
    cudnn.asked = 0;
#endif
    pthread_mutex_unlock(&lock);
}
