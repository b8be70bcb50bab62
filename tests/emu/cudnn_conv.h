// cudnn_conv.h - a convolution as the stand-in for cuDNN has read it from a graph, and the engines that compute it.
#ifndef CUG_EMU_CUDNN_CONV_H
#define CUG_EMU_CUDNN_CONV_H

#include "library.h"

#if EMU_HAVE_LIBRARIES
namespace emu {
struct Tensor {
    std::vector<int64_t> dim, stride;
    int64_t id = 0, alignment = 1;
    bool inside = false;
    size_t bytes() const {
        int64_t last = 0;
        for (int i = 0; i < 4; i++) last += (dim[static_cast<size_t>(i)] - 1) * stride[static_cast<size_t>(i)];
        return static_cast<size_t>(last + 1) * sizeof(float);
    }
    size_t at(int64_t a, int64_t b, int64_t c, int64_t d) const {
        return static_cast<size_t>(a * stride[0] + b * stride[1] + c * stride[2] + d * stride[3]);
    }
};

struct Convolution {
    int role = -1; // 0 forward, 1 data, 2 filter
    Tensor x, w, y, bias, sum;
    bool has_bias = false;
    int64_t stride[2], before[2], after[2];
    float alpha = 1, beta = 0;
};

std::vector<cudnnBackendNumericalNote_t> notes_of(int engine);
size_t workspace_of(int engine, const Convolution &c);
// What the heuristics answer, in the order of preference.
std::vector<int> offer(cudnnBackendHeurMode_t mode, const Convolution &c);
bool can(int engine, const Convolution &c); // make a plan for it

struct Work {
    Convolution c;
    int engine;
    float *x, *w, *y, *workspace;
    const float *bias;

    void run() const;

  private:
    float term(float a, float b) const;
    double sum(const int64_t i[4]) const;
};
} // namespace emu
#endif
#endif
