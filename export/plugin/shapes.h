// Shapes of the node's tensors, checked before anything reads them.
#pragma once

#include <NvInferRuntime.h>

#include "attributes.h"
#include "problem.h"

namespace haze {

// The inputs' order, and the output after them.
enum Tensor : int32_t { kX, kOffset, kMask, kWeight, kOutput };
constexpr int32_t kInputs = 4;
constexpr int32_t kOutputs = 1;

// Throws std::invalid_argument where types, formats, ranks or dimensions contradict one another;
// a dimension of -1, not yet known, contradicts nothing.
void check(const Attributes& attributes, const nvinfer1::PluginTensorDesc* in, int32_t inputs,
    const nvinfer1::PluginTensorDesc* out, int32_t outputs);

// As `check`, and every dimension has to be known.
DeformConv2dProblem problem_of(const Attributes& attributes, const nvinfer1::PluginTensorDesc* in,
    int32_t inputs, const nvinfer1::PluginTensorDesc* out, int32_t outputs);

}  // namespace haze
