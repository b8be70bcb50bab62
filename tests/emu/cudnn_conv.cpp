// cudnn_conv.cpp - the stand-in's engines: what they note of themselves, what they need, what they compute.
#include "cudnn_conv.h"

#if EMU_HAVE_LIBRARIES
namespace emu {
namespace {
enum { HALVES, ANY_ORDER, TENSOR, WINO, GREEDY, UNMADE, SPLIT, PLAIN };

const Tensor &output_of(const Convolution &c) { return c.role == 0 ? c.y : c.role == 1 ? c.x : c.w; }
} // namespace

std::vector<cudnnBackendNumericalNote_t> notes_of(int engine) {
    switch (engine) {
    case HALVES:
        return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE, CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS};
    case ANY_ORDER:
        return {CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC};
    case TENSOR:
        return {CUDNN_NUMERICAL_NOTE_TENSOR_CORE};
    case WINO:
        return {CUDNN_NUMERICAL_NOTE_WINOGRAD, CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6};
    case PLAIN:
        return {CUDNN_NUMERICAL_NOTE_STRICT_NAN_PROP};
    default:
        return {};
    }
}

size_t workspace_of(int engine, const Convolution &c) {
    return engine == SPLIT ? output_of(c).bytes() : engine == GREEDY ? size_t{1} << 40 : 0;
}

// In the order of preference. Large strides have none at all; filters of one pixel only the fallback.
std::vector<int> offer(cudnnBackendHeurMode_t mode, const Convolution &c) {
    if (c.stride[0] > c.w.dim[2] || c.stride[1] > c.w.dim[3]) return {};
    if (mode == CUDNN_HEUR_MODE_FALLBACK) return {HALVES, ANY_ORDER, PLAIN};
    if (c.w.dim[2] * c.w.dim[3] == 1) return {HALVES, TENSOR, GREEDY};
    return {HALVES, ANY_ORDER, TENSOR, WINO, GREEDY, UNMADE, SPLIT};
}

bool can(int engine, const Convolution &c) {
    if (engine == UNMADE) return false;
    return !c.has_bias || (engine == SPLIT && c.y.dim[1] % 2 == 0) || engine == TENSOR; // odd channels: no fused bias
}

float Work::term(float a, float b) const {
    const Rounding r = engine == HALVES ? HALF : engine == TENSOR ? TF32 : EXACT;
    return rounded(a, r) * rounded(b, r);
}

// One element of the output that this role has: n,k,p,q forward, n,c,h,w of dx, k,c,r,s of dw.
double Work::sum(const int64_t i[4]) const {
    const Tensor &X = c.x, &W = c.w, &Y = c.has_bias ? c.sum : c.y;
    double s = 0;
    auto add = [&](int64_t n, int64_t k, int64_t p, int64_t q, int64_t ch, int64_t r, int64_t t) {
        const int64_t h = p * c.stride[0] + r - c.before[0], v = q * c.stride[1] + t - c.before[1];
        if (h < 0 || h >= X.dim[2] || v < 0 || v >= X.dim[3]) return;
        const size_t xi = X.at(n, ch, h, v), wi = W.at(k, ch, r, t), yi = Y.at(n, k, p, q);
        s += static_cast<double>(c.role == 0   ? term(x[xi], w[wi])
                                 : c.role == 1 ? term(y[yi], w[wi])
                                               : term(y[yi], x[xi]));
    };
    if (c.role == 0)
        for (int64_t r = 0; r < W.dim[2]; r++)
            for (int64_t t = 0; t < W.dim[3]; t++)
                for (int64_t ch = 0; ch < W.dim[1]; ch++) add(i[0], i[1], i[2], i[3], ch, r, t);
    if (c.role == 1)
        for (int64_t r = 0; r < W.dim[2]; r++)
            for (int64_t t = 0; t < W.dim[3]; t++) {
                const int64_t a = i[2] + c.before[0] - r, b = i[3] + c.before[1] - t;
                if (a < 0 || b < 0 || a % c.stride[0] || b % c.stride[1]) continue;
                if (a / c.stride[0] >= Y.dim[2] || b / c.stride[1] >= Y.dim[3]) continue;
                for (int64_t k = 0; k < W.dim[0]; k++) add(i[0], k, a / c.stride[0], b / c.stride[1], i[1], r, t);
            }
    if (c.role == 2)
        for (int64_t n = 0; n < X.dim[0]; n++)
            for (int64_t p = 0; p < Y.dim[2]; p++)
                for (int64_t q = 0; q < Y.dim[3]; q++) add(n, i[0], p, q, i[1], i[2], i[3]);
    return s;
}
void Work::run() const {
    const Tensor &o = output_of(c);
    float *const out = c.role == 0 ? y : c.role == 1 ? x : w;
    const float noise = engine == ANY_ORDER ? disturbance() : 0;
    int64_t i[4];
    for (int pass = engine == SPLIT ? 0 : 1; pass < 2; pass++) // the split engine's sums wait in its workspace
        for (i[0] = 0; i[0] < o.dim[0]; i[0]++)
            for (i[1] = 0; i[1] < o.dim[1]; i[1]++)
                for (i[2] = 0; i[2] < o.dim[2]; i[2]++)
                    for (i[3] = 0; i[3] < o.dim[3]; i[3]++) {
                        const size_t at = o.at(i[0], i[1], i[2], i[3]);
                        if (pass == 0) {
                            workspace[at] = static_cast<float>(sum(i));
                            continue;
                        }
                        double v = engine == SPLIT ? static_cast<double>(workspace[at]) : sum(i);
                        if (engine == WINO) v *= 1.0001;
                        v = static_cast<double>(c.alpha) * v + static_cast<double>(noise);
                        if (c.beta != 0) v += static_cast<double>(c.beta) * static_cast<double>(out[at]);
                        if (c.has_bias) v += static_cast<double>(bias[c.bias.at(0, i[1], 0, 0)]);
                        out[at] = static_cast<float>(v);
                    }
}

} // namespace emu
#endif
