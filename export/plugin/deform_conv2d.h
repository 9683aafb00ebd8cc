// The library's C interface to the kernel: no TensorRT needed.
#pragma once

#include "problem.h"

// Runs on `stream`, a cudaStream_t, with no memory beyond its tensors:
//   x (N, C, H, W), offset (N, 2 S K L, H', W'), mask (N, S K L, H', W'), weight (O, C/G, K, L) to
//   output (N, O, H', W'); offsets are (y, x) for each tap, and S counts the offset groups.
// Returns 0, a cudaError_t, or -1 for an impossible problem or a pointer that is null or unaligned.
extern "C" __attribute__((visibility("default"))) int haze_deform_conv2d_launch(
    const DeformConv2dProblem* problem, const void* x, const void* offset, const void* mask,
    const void* weight, void* output, void* stream);
