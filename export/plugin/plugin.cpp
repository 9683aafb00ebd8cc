#include "plugin.h"

#include <cuda_runtime_api.h>

#include <stdexcept>

#include "deform_conv2d.h"
#include "log.h"
#include "shapes.h"

namespace haze {

using namespace nvinfer1;

namespace {

constexpr int32_t kFailed = -1;

void check_counts(int32_t inputs, int32_t outputs) {
    if (inputs != kInputs || outputs != kOutputs)
        throw std::invalid_argument("expected 4 inputs and 1 output, got " + std::to_string(inputs)
                                    + " and " + std::to_string(outputs));
}

// floor((size + 2 padding - dilation (kernel - 1) - 1) / stride) + 1, as an expression.
const IDimensionExpr* out_expression(IExprBuilder& builder, const IDimensionExpr& size,
    const IDimensionExpr& kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const auto compute = [&](DimensionOperation operation, const IDimensionExpr& one,
                             int64_t other) {
        return builder.operation(operation, one, *builder.constant(other));
    };
    const IDimensionExpr* padded =
        compute(DimensionOperation::kSUM, size, 2 * padding - 1 + dilation);
    const IDimensionExpr* reach = compute(DimensionOperation::kPROD, kernel, dilation);
    const IDimensionExpr* room = builder.operation(DimensionOperation::kSUB, *padded, *reach);
    const IDimensionExpr* steps = compute(DimensionOperation::kFLOOR_DIV, *room, stride);
    return compute(DimensionOperation::kSUM, *steps, 1);
}

}  // namespace

DeformConv2dPlugin::DeformConv2dPlugin(const Attributes& attributes)
    : attributes_(attributes),
      text_(text_of(attributes_)),
      fields_(fields_of(&attributes_)),
      collection_{static_cast<int32_t>(fields_.size()), fields_.data()} {}

IPluginCapability* DeformConv2dPlugin::getCapabilityInterface(PluginCapabilityType type) noexcept {
    switch (type) {
        case PluginCapabilityType::kCORE:
            return static_cast<IPluginV3OneCore*>(this);
        case PluginCapabilityType::kBUILD:
            return static_cast<IPluginV3OneBuild*>(this);
        case PluginCapabilityType::kRUNTIME:
            return static_cast<IPluginV3OneRuntime*>(this);
    }
    return nullptr;
}

IPluginV3* DeformConv2dPlugin::clone() noexcept {
    return guarded<IPluginV3*>(
        "clone", nullptr, [&] { return new DeformConv2dPlugin(attributes_); });
}

IPluginV3* DeformConv2dPlugin::attachToContext(IPluginResourceContext*) noexcept { return clone(); }

const PluginFieldCollection* DeformConv2dPlugin::getFieldsToSerialize() noexcept {
    return &collection_;
}

int32_t DeformConv2dPlugin::configurePlugin(const DynamicPluginTensorDesc* in, int32_t inputs,
    const DynamicPluginTensorDesc* out, int32_t outputs) noexcept {
    return guarded("configurePlugin", kFailed, [&] {
        PluginTensorDesc descriptions[kInputs]{};
        for (int32_t i = 0; in != nullptr && i < inputs && i < kInputs; ++i)
            descriptions[i] = in[i].desc;
        // Sizes may be -1 here; onShapeChange sees them all.
        check(attributes_, in == nullptr ? nullptr : descriptions, inputs,
            out == nullptr ? nullptr : &out->desc, outputs);
        return 0;
    });
}

bool DeformConv2dPlugin::supportsFormatCombination(int32_t position,
    const DynamicPluginTensorDesc* tensors, int32_t inputs, int32_t outputs) noexcept {
    if (tensors == nullptr || inputs != kInputs || outputs != kOutputs) return false;
    if (position < kX || position > kOutput) return false;
    // Only tensors up to `position` may be looked at.
    const PluginTensorDesc& desc = tensors[position].desc;
    if (desc.format != TensorFormat::kLINEAR) return false;
    if (position == kX) return desc.type == DataType::kFLOAT || desc.type == DataType::kHALF;
    if (position == kOffset || position == kMask) return desc.type == DataType::kFLOAT;
    return desc.type == tensors[kX].desc.type;
}

int32_t DeformConv2dPlugin::getOutputDataTypes(
    DataType* out, int32_t outputs, const DataType* in, int32_t inputs) const noexcept {
    return guarded("getOutputDataTypes", kFailed, [&] {
        check_counts(inputs, outputs);
        out[0] = in[kX];
        return 0;
    });
}

int32_t DeformConv2dPlugin::getOutputShapes(const DimsExprs* in, int32_t inputs, const DimsExprs*,
    int32_t, DimsExprs* out, int32_t outputs, IExprBuilder& builder) noexcept {
    return guarded("getOutputShapes", kFailed, [&] {
        check_counts(inputs, outputs);
        for (int32_t i = 0; i < inputs; ++i)
            if (in[i].nbDims != 4)
                throw std::invalid_argument("expected input " + std::to_string(i)
                                            + " to have rank 4, got "
                                            + std::to_string(in[i].nbDims));
        out[0].nbDims = 4;
        out[0].d[0] = in[kX].d[0];
        out[0].d[1] = in[kWeight].d[0];
        for (const int axis : {0, 1})
            out[0].d[2 + axis] = out_expression(builder, *in[kX].d[2 + axis],
                *in[kWeight].d[2 + axis], attributes_.stride[axis], attributes_.padding[axis],
                attributes_.dilation[axis]);
        return 0;
    });
}

int32_t DeformConv2dPlugin::onShapeChange(const PluginTensorDesc* in, int32_t inputs,
    const PluginTensorDesc* out, int32_t outputs) noexcept {
    return guarded("onShapeChange", kFailed, [&] {
        problem_of(attributes_, in, inputs, out, outputs);
        return 0;
    });
}

int32_t DeformConv2dPlugin::enqueue(const PluginTensorDesc* in, const PluginTensorDesc* out,
    const void* const* inputs, void* const* outputs, void*, cudaStream_t stream) noexcept {
    return guarded("enqueue", kFailed, [&] {
        const DeformConv2dProblem problem = problem_of(attributes_, in, kInputs, out, kOutputs);
        if (inputs == nullptr || outputs == nullptr)
            throw std::invalid_argument("expected tensors, got none");
        const int result = haze_deform_conv2d_launch(&problem, inputs[kX], inputs[kOffset],
            inputs[kMask], inputs[kWeight], outputs[0], stream);
        if (result < 0)
            throw std::invalid_argument("expected aligned tensors, got one that is null or not");
        if (result > 0)
            throw std::runtime_error(std::string("the kernel was not launched: ")
                                     + cudaGetErrorString(static_cast<cudaError_t>(result)));
        return 0;
    });
}

}  // namespace haze
