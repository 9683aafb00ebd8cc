// HazeDeformConv2d as TensorRT's IPluginV3.
#pragma once

#include <NvInferRuntime.h>

#include "attributes.h"

namespace haze {

constexpr const char* kName = "HazeDeformConv2d";
constexpr const char* kVersion = "1";
constexpr const char* kNamespace = "dehaze";

// Inputs x, offset, mask, weight and output as in deform_conv2d.h; offset and mask in FP32, the
// others in FP32 or FP16, all in linear format.
class DeformConv2dPlugin final : public nvinfer1::IPluginV3,
                                 public nvinfer1::IPluginV3OneCore,
                                 public nvinfer1::IPluginV3OneBuild,
                                 public nvinfer1::IPluginV3OneRuntime {
public:
    explicit DeformConv2dPlugin(const Attributes& attributes);
    // The fields point into the object itself, so a copy needs its own.
    DeformConv2dPlugin(const DeformConv2dPlugin&) = delete;
    DeformConv2dPlugin& operator=(const DeformConv2dPlugin&) = delete;

    nvinfer1::IPluginCapability* getCapabilityInterface(
        nvinfer1::PluginCapabilityType type) noexcept override;
    nvinfer1::IPluginV3* clone() noexcept override;

    const char* getPluginName() const noexcept override { return kName; }
    const char* getPluginVersion() const noexcept override { return kVersion; }
    const char* getPluginNamespace() const noexcept override { return kNamespace; }

    int32_t getNbOutputs() const noexcept override { return 1; }
    int32_t configurePlugin(const nvinfer1::DynamicPluginTensorDesc* in, int32_t inputs,
        const nvinfer1::DynamicPluginTensorDesc* out, int32_t outputs) noexcept override;
    bool supportsFormatCombination(int32_t position,
        const nvinfer1::DynamicPluginTensorDesc* tensors, int32_t inputs,
        int32_t outputs) noexcept override;
    int32_t getOutputDataTypes(nvinfer1::DataType* out, int32_t outputs,
        const nvinfer1::DataType* in, int32_t inputs) const noexcept override;
    int32_t getOutputShapes(const nvinfer1::DimsExprs* in, int32_t inputs,
        const nvinfer1::DimsExprs* shapes, int32_t shape_count, nvinfer1::DimsExprs* out,
        int32_t outputs, nvinfer1::IExprBuilder& builder) noexcept override;
    const char* getTimingCacheID() noexcept override { return text_.c_str(); }
    const char* getMetadataString() noexcept override { return text_.c_str(); }

    int32_t onShapeChange(const nvinfer1::PluginTensorDesc* in, int32_t inputs,
        const nvinfer1::PluginTensorDesc* out, int32_t outputs) noexcept override;
    int32_t enqueue(const nvinfer1::PluginTensorDesc* in, const nvinfer1::PluginTensorDesc* out,
        const void* const* inputs, void* const* outputs, void* workspace,
        cudaStream_t stream) noexcept override;
    nvinfer1::IPluginV3* attachToContext(
        nvinfer1::IPluginResourceContext* context) noexcept override;
    const nvinfer1::PluginFieldCollection* getFieldsToSerialize() noexcept override;

private:
    Attributes attributes_;
    std::string text_;
    std::vector<nvinfer1::PluginField> fields_;
    nvinfer1::PluginFieldCollection collection_;
};

}  // namespace haze
