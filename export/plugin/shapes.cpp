#include "shapes.h"

#include <stdexcept>

namespace haze {

namespace {

using nvinfer1::DataType;
using nvinfer1::PluginTensorDesc;
using nvinfer1::TensorFormat;

constexpr int64_t kUnknown = -1;
const char* const kNames[] = {"x", "offset", "mask", "weight", "output"};

// Conditions come before it, so that enqueue puts no sentence together when all is well.
[[noreturn]] void refuse(const std::string& what, const std::string& wanted, int64_t got) {
    throw std::invalid_argument(expected(what, wanted, got));
}

std::string dimension_name(Tensor tensor, int32_t axis) {
    return std::string("dimension ") + std::to_string(axis) + " of " + kNames[tensor];
}

void check_tensor(const PluginTensorDesc& desc, Tensor tensor, DataType data) {
    const std::string name = kNames[tensor];
    const bool is_wide = tensor == kOffset || tensor == kMask;
    const DataType wanted = is_wide ? DataType::kFLOAT : data;
    if (desc.type != wanted)
        refuse("the DataType of " + name, wanted == DataType::kHALF ? "FP16 (1)" : "FP32 (0)",
            static_cast<int32_t>(desc.type));
    if (desc.format != TensorFormat::kLINEAR)
        refuse("the TensorFormat of " + name, "linear (0)", static_cast<int32_t>(desc.format));
    if (desc.dims.nbDims != 4) refuse("the rank of " + name, "4", desc.dims.nbDims);
    for (int32_t axis = 0; axis < 4; ++axis) {
        const int64_t size = desc.dims.d[axis];
        if (size < kUnknown || size > kLargest)
            refuse(dimension_name(tensor, axis), "from 0 to 2^30", size);
    }
}

int64_t product(std::initializer_list<int64_t> sizes) {
    int64_t result = 1;
    for (const int64_t size : sizes) {
        if (size == kUnknown || result == kUnknown) return kUnknown;
        if (size != 0 && result > kLargest / size)
            throw std::invalid_argument(
                "expected taps, channels and offsets to be at most 2^30, got "
                + std::to_string(result) + " times " + std::to_string(size));
        result *= size;
    }
    return result;
}

void check_agreement(const Attributes& a, const PluginTensorDesc* const (&tensors)[5]) {
    const auto size = [&](Tensor tensor, int32_t axis) -> int64_t {
        return tensors[tensor]->dims.d[axis];
    };
    const auto agree = [&](Tensor tensor, int32_t axis, int64_t wanted) {
        const int64_t got = size(tensor, axis);
        if (wanted != kUnknown && got != kUnknown && got != wanted)
            refuse(dimension_name(tensor, axis), std::to_string(wanted), got);
    };
    const int64_t taps = product({size(kWeight, 2), size(kWeight, 3)});
    agree(kX, 1, product({size(kWeight, 1), a.groups[0]}));
    agree(kOffset, 1, product({2, a.offset_groups[0], taps}));
    agree(kMask, 1, product({a.offset_groups[0], taps}));
    agree(kOutput, 1, size(kWeight, 0));
    for (const Tensor tensor : {kOffset, kMask, kOutput}) agree(tensor, 0, size(kX, 0));
    for (const int32_t axis : {0, 1}) {
        const int64_t of_x = size(kX, 2 + axis);
        const int64_t kernel = size(kWeight, 2 + axis);
        if (of_x == kUnknown || kernel == kUnknown) continue;
        const int64_t out =
            out_size(of_x, kernel, a.stride[axis], a.padding[axis], a.dilation[axis]);
        for (const Tensor tensor : {kOffset, kMask, kOutput}) agree(tensor, 2 + axis, out);
    }
}

DeformConv2dProblem problem_from(const Attributes& a, const PluginTensorDesc* const (&tensors)[5]) {
    // Within 32 bits: check_tensor allows 2^30.
    const auto size = [&](Tensor tensor, int32_t axis) {
        return static_cast<int32_t>(tensors[tensor]->dims.d[axis]);
    };
    DeformConv2dProblem p{};
    p.is_half = tensors[kX]->type == DataType::kHALF;
    p.batch = size(kX, 0);
    p.channels = size(kX, 1);
    p.height = size(kX, 2);
    p.width = size(kX, 3);
    p.filters = size(kWeight, 0);
    p.out_height = size(kOutput, 2);
    p.out_width = size(kOutput, 3);
    for (const int axis : {0, 1}) {
        p.kernel[axis] = size(kWeight, 2 + axis);
        p.stride[axis] = a.stride[axis];
        p.padding[axis] = a.padding[axis];
        p.dilation[axis] = a.dilation[axis];
    }
    p.groups = a.groups[0];
    p.offset_groups = a.offset_groups[0];
    return p;
}

}  // namespace

void check(const Attributes& attributes, const PluginTensorDesc* in, int32_t inputs,
    const PluginTensorDesc* out, int32_t outputs) {
    if (inputs != kInputs || in == nullptr)
        refuse("the number of inputs", "4 (x, offset, mask, weight)", inputs);
    if (outputs != kOutputs || out == nullptr) refuse("the number of outputs", "1", outputs);
    if (in[kX].type != DataType::kFLOAT && in[kX].type != DataType::kHALF)
        refuse("the DataType of x", "FP32 (0) or FP16 (1)", static_cast<int32_t>(in[kX].type));
    const PluginTensorDesc* const tensors[] = {
        &in[kX], &in[kOffset], &in[kMask], &in[kWeight], out};
    for (const Tensor tensor : {kX, kOffset, kMask, kWeight, kOutput})
        check_tensor(*tensors[tensor], tensor, in[kX].type);
    check_agreement(attributes, tensors);
}

DeformConv2dProblem problem_of(const Attributes& attributes, const PluginTensorDesc* in,
    int32_t inputs, const PluginTensorDesc* out, int32_t outputs) {
    check(attributes, in, inputs, out, outputs);
    const PluginTensorDesc* const tensors[] = {
        &in[kX], &in[kOffset], &in[kMask], &in[kWeight], out};
    for (const Tensor tensor : {kX, kOffset, kMask, kWeight, kOutput})
        for (int32_t axis = 0; axis < 4; ++axis)
            if (tensors[tensor]->dims.d[axis] == kUnknown)
                refuse(dimension_name(tensor, axis), "known by now", kUnknown);
    const DeformConv2dProblem problem = problem_from(attributes, tensors);
    const std::string sentence = complaint(problem);
    if (!sentence.empty()) throw std::invalid_argument(sentence);
    return problem;
}

}  // namespace haze
