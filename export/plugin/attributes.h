// The node's attributes: five fields, the same in an ONNX node, for the creator and in an engine.
#pragma once

#include <NvInferRuntime.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

namespace haze {

// Pairs are (y, x); padding is on both sides.
struct Attributes {
    std::array<int32_t, 2> stride;
    std::array<int32_t, 2> padding;
    std::array<int32_t, 2> dilation;
    std::array<int32_t, 1> groups;
    std::array<int32_t, 1> offset_groups;
};

// Names, types and lengths, with pointers into `attributes`; without it, no data.
std::vector<nvinfer1::PluginField> fields_of(const Attributes* attributes);

// Throws std::invalid_argument where a field is unknown, missing, given twice, of another type or
// length, or out of range.
Attributes attributes_from(const nvinfer1::PluginFieldCollection* fields);

// "stride=1,1 padding=1,1 dilation=1,1 groups=1 offset_groups=1"
std::string text_of(const Attributes& attributes);

}  // namespace haze
