// bugs.cu - the emulator held against bugs it must find: those inside kernels. (bugs_host.cu: those of the host.)
#include "bugs.h"

// No atomics on floating-point numbers: their order would decide the result.
template <class T, class = void> struct has_atomic_add { static constexpr bool value = false; };
template <class T> struct has_atomic_add<T, decltype(void(atomicAdd(static_cast<T *>(nullptr), T())))> {
    static constexpr bool value = true;
};
static_assert(has_atomic_add<int>::value && has_atomic_add<unsigned long long>::value, "integers have atomics");
static_assert(!has_atomic_add<float>::value && !has_atomic_add<double>::value, "floats have none");

// ---- a block: y[i] = sum over tiles of x[tile][63 - i], through shared memory
// ----------------------------------------
__global__ void tiles_kernel(float *y, const float *x, int tiles, int n, int bug) {
    __shared__ float tile[64], neighbour[64], unset[64];
    const int t = static_cast<int>(threadIdx.x);
    float sum = 0.0f;
    neighbour[t] = 0.0f;
    if (bug < 0) unset[t] = 0.0f;    // never; but an array nobody writes would be a constant
    if (bug == 5 && t == 63) return; // before a barrier that the others wait at
    for (int k = 0; k < tiles; k++) {
        if (bug == 3) {
            if (t < 60) tile[t] = x[k * 64 + t]; // four places nobody wrote
        } else {
            tile[t + (bug == 6 && t == 63)] = x[k * 64 + t]; // bug 6: into the next array
        }
        if (bug == 4) { // two barriers that are not one
            if (t < 32)
                __syncthreads();
            else
                __syncthreads();
        } else if (bug != 1) {
            __syncthreads();
        }
        sum += tile[63 - t];
        if (bug != 2 && !(bug == 9 && t == 7)) __syncthreads(); // bug 9: one thread leaves a barrier out
    }
    if (bug == 10 && unset[t] > 1.0f) sum = 0.0f;                 // bug 10: NaN here, and the comparison false
    if (t < n || (bug == 7 && t == n)) y[t] = sum + neighbour[t]; // bug 7: one past the end
}

int in_a_block(int bug) {
    const int tiles = 3, n = 64;
    float *x = device_ramp(64 * tiles, 0.0f, 1.0f), *y = device_floats(bug == 7 ? 48 : n);
    OK(CUG_LAUNCH(tiles_kernel, 1, 64, 0, nullptr, y, x, bug == 8 ? tiles + 1 : tiles, bug == 7 ? 48 : n, bug));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    return differ(y, bug == 7 ? 48 : n, [](int i) { return static_cast<float>(3 * (63 - i) + 64 + 128); });
}

// ---- a warp: neighbours' values through shared memory and through shuffles
// -------------------------------------------
__global__ void warp_kernel(float *y, const float *x, int bug) {
    __shared__ float row[32];
    const int l = static_cast<int>(threadIdx.x);
    row[l] = x[l];
    if (bug == 5) (void)__shfl_sync(0xffffffffu, l, 0); // bug 5: waits for the other lanes, orders no memory
    if (bug != 1 && bug != 5) __syncwarp();
    const float left = row[(l + 31) % 32];
    float right;
    if (bug == 2) { // half of the warp in an operation of all
        right = l < 16 ? __shfl_sync(0xffffffffu, x[l], (l + 1) % 32) : 0.0f;
    } else if (bug == 3) { // reads a lane that is not there
        right = l < 16 ? __shfl_sync(0x0000ffffu, x[l], 20) : 0.0f;
    } else if (bug == 4) { // calls without being in the mask
        right = __shfl_sync(0x0000ffffu, x[l], 3);
    } else {
        right = __shfl_sync(0xffffffffu, x[l], (l + 1) % 32);
    }
    y[l] = left - right;
}

int in_a_warp(int bug) {
    float *x = device_ramp(32, 0.0f, 1.0f), *y = device_floats(32);
    OK(CUG_LAUNCH(warp_kernel, 1, 32, 0, nullptr, y, x, bug));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    return differ(y, 32, [](int i) { return static_cast<float>((i + 31) % 32 - (i + 1) % 32); });
}

// ---- asynchronous copies, double-buffered
// -----------------------------------------------------------------------------
__global__ void async_kernel(float *y, const float *x, int tiles, int bug) {
    __shared__ __align__(16) float tile[2][64 + 4];
    const int t = static_cast<int>(threadIdx.x); // 16 threads, 4 floats each
    float sum = 0.0f;
    cug_copy_async16(&tile[0][4 * t], x + 4 * t);
    cug_copy_commit();
    for (int k = 0; k < tiles; k++) {
        const bool more = k + 1 < tiles || bug == 3;
        if (more) { // bug 3: one more is asked for than is waited for; bug 5: into the tile still being read
            const int skew = bug == 4 ? 1 : 0;
            cug_copy_async16(&tile[bug == 5 ? k & 1 : (k + 1) & 1][4 * t + skew], x + (k + 1) % tiles * 64 + 4 * t);
            cug_copy_commit();
        }
        if (more && bug != 2)
            cug_copy_wait<1>();
        else if (bug == 2)
            cug_copy_wait<2>();
        else if (bug != 1)
            cug_copy_wait<0>(); // bug 1: the last tile is not waited for
        __syncthreads();
        for (int i = 0; i < 4; i++) sum += tile[k & 1][(4 * t + i + 1) % 64];
        __syncthreads();
    }
    if (bug == 2) cug_copy_wait<0>();
    y[t] = sum;
}

int async_copies(int bug) {
    float *x = device_ramp(128, 0.0f, 1.0f), *y = device_floats(16);
    OK(CUG_LAUNCH(async_kernel, 1, 16, 0, nullptr, y, x, 2, bug));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    return differ(y, 16, [](int t) {
        float s = 0.0f;
        for (int i = 0; i < 4; i++) s += static_cast<float>(2 * ((4 * t + i + 1) % 64) + 64);
        return s;
    });
}

// ---- dynamic shared memory
// --------------------------------------------------------------------------------------------
__global__ void dynamic_kernel(float *y, int n, int bug) {
    CUG_DYN_SHARED(float, tile);
    const int t = static_cast<int>(threadIdx.x);
    for (int i = t; i < n + (bug == 1); i += 32) tile[i] = static_cast<float>(i); // bug 1: one too many
    __syncthreads();
    y[t] = tile[n - 1 - t];
}

int dynamic_memory(int bug) {
    const int n = bug == 3 ? 64 << 10 : 40; // bug 3: more than a block of any device may have
    float *y = device_floats(32);
    OK(CUG_LAUNCH(dynamic_kernel, 1, 32, bug == 2 ? 0 : n * sizeof(float), nullptr, y, n, bug));
    return differ(y, 32, [=](int i) { return static_cast<float>(n - 1 - i); });
}

// ---- between blocks, and between rows that are there and rows that are not
// ---------------------------------------------
__global__ void total_kernel(float *total, int *order, const float *x, int bug) {
    const int b = static_cast<int>(blockIdx.x);
    const int place = bug == 1 ? atomicAdd(order, 1) : b; // bug 1: the order of arrival
    total[place] = x[b];
    if (bug == 4) total[7] = 57.0f; // bug 4: from every block; that all store what is there changes nothing
}

__global__ void mean_kernel(float *y, const float *x, int valid, int rows) {
    float sum = 0.0f;
    for (int i = 0; i < rows; i++) sum += x[i];
    y[threadIdx.x] = sum / static_cast<float>(valid);
}

int across_blocks(int bug) {
    // y: an older batch of 8, of which 6 are written again.
    float *x = device_ramp(6, 1.0f, 1.0f), *y = device_ramp(8, 50.0f, 1.0f), *z = device_floats(1);
    float *arrived = device_ramp(1, 0.0f, 0.0f);
    OK(CUG_LAUNCH(total_kernel, bug == 2 ? 5 : 6, 1, 0, nullptr, y, reinterpret_cast<int *>(arrived), x, bug));
    OK(CUG_LAUNCH(mean_kernel, 1, 1, 0, nullptr, z, y, 6, bug == 3 ? 8 : 6));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    OK(cudaFree(arrived));
    const int bad = differ(y, 6, [](int i) { return static_cast<float>(i + 1); });
    return differ(z, 1, [](int) { return 3.5f; }) || bad;
}

// ---- addresses
// --------------------------------------------------------------------------------------------------------
__global__ void addresses_kernel(float *y, const float *x, const float *unset, int n, int bug) {
    float local[8] = {};
    for (int i = 0; i < (bug == 1 ? n + 1 : n); i++) local[i] = x[i];           // bug 1: past a thread's own array
    const float4 v = *reinterpret_cast<const float4 *>(x + (bug == 2 ? 1 : 0)); // bug 2: not a multiple of 16
    const int big = 0x7fffff00 + n, j = bug == 3 ? big + 256 * n : 0;           // bug 3: an index overflows
    if (bug == 5 && unset[0] > 1.0f) local[0] = 0.0f;                           // bug 5: NaN, and false
    y[bug == 4 ? -1 : 0] = local[0] + v.w + (j < 0 ? 0.0f : x[0]);              // bug 4: before the beginning
}

int addresses(int bug) {
    float *x = device_ramp(16, 1.0f, 1.0f), *y = device_floats(1), *unset = device_floats(1);
    OK(CUG_LAUNCH(addresses_kernel, 1, 1, 0, nullptr, y, x, unset, 8, bug));
    OK(cudaDeviceSynchronize());
    OK(cudaFree(x));
    OK(cudaFree(unset));
    return differ(y, 1, [](int) { return 6.0f; });
}
