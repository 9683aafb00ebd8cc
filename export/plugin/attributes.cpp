#include "attributes.h"

#include <iterator>
#include <stdexcept>

namespace haze {

namespace {

using nvinfer1::PluginField;
using nvinfer1::PluginFieldType;

struct Known {
    const char* name;
    int32_t length;
    int32_t least;
    int32_t* (*values)(Attributes&);
};

const Known kKnown[] = {
    {"stride", 2, 1, [](Attributes& a) { return a.stride.data(); }},
    {"padding", 2, 0, [](Attributes& a) { return a.padding.data(); }},
    {"dilation", 2, 1, [](Attributes& a) { return a.dilation.data(); }},
    {"groups", 1, 1, [](Attributes& a) { return a.groups.data(); }},
    {"offset_groups", 1, 1, [](Attributes& a) { return a.offset_groups.data(); }},
};

// The ONNX parser hands over INTS as INT32 (10.1's source); INT64 is taken, too, where it fits.
int64_t element(const PluginField& field, int32_t index) {
    if (field.type == PluginFieldType::kINT64)
        return static_cast<const int64_t*>(field.data)[index];
    return static_cast<const int32_t*>(field.data)[index];
}

void read(const PluginField& field, const Known& known, Attributes& to) {
    const std::string name = std::string("field ") + known.name;
    const bool is_whole =
        field.type == PluginFieldType::kINT32 || field.type == PluginFieldType::kINT64;
    if (!is_whole || field.length != known.length || field.data == nullptr)
        throw std::invalid_argument("expected " + name + " to be " + std::to_string(known.length)
                                    + " INT32, got " + (field.data == nullptr ? "no data, " : "")
                                    + std::to_string(field.length) + " of PluginFieldType "
                                    + std::to_string(static_cast<int32_t>(field.type)));
    for (int32_t i = 0; i < known.length; ++i) {
        const int64_t value = element(field, i);
        if (value < known.least || value > 1 << 30)
            throw std::invalid_argument("expected " + name + " to be from "
                                        + std::to_string(known.least) + " to 2^30, got "
                                        + std::to_string(value));
        known.values(to)[i] = static_cast<int32_t>(value);
    }
}

}  // namespace

std::vector<PluginField> fields_of(const Attributes* attributes) {
    std::vector<PluginField> fields;
    for (const Known& known : kKnown) {
        // PluginField's data are for reading only.
        const void* data =
            attributes ? known.values(const_cast<Attributes&>(*attributes)) : nullptr;
        fields.emplace_back(known.name, data, PluginFieldType::kINT32, known.length);
    }
    return fields;
}

Attributes attributes_from(const nvinfer1::PluginFieldCollection* fields) {
    if (fields == nullptr || (fields->nbFields > 0 && fields->fields == nullptr))
        throw std::invalid_argument("expected fields, got none");
    Attributes attributes{};
    bool found[std::size(kKnown)] = {};
    for (int32_t i = 0; i < fields->nbFields; ++i) {
        const PluginField& field = fields->fields[i];
        const std::string name = field.name == nullptr ? "" : field.name;
        size_t index = 0;
        while (index < std::size(kKnown) && name != kKnown[index].name) ++index;
        if (index == std::size(kKnown))
            throw std::invalid_argument(
                "expected stride, padding, dilation, groups or offset_groups, got a field named '"
                + name + "'");
        if (found[index])
            throw std::invalid_argument("expected field " + name + " once, got it twice");
        found[index] = true;
        read(field, kKnown[index], attributes);
    }
    for (size_t index = 0; index < std::size(kKnown); ++index)
        if (!found[index])
            throw std::invalid_argument(
                std::string("expected field ") + kKnown[index].name + ", got none");
    return attributes;
}

std::string text_of(const Attributes& attributes) {
    std::string text;
    for (const Known& known : kKnown) {
        const int32_t* values = known.values(const_cast<Attributes&>(attributes));
        text +=
            (text.empty() ? "" : " ") + std::string(known.name) + "=" + std::to_string(values[0]);
        if (known.length == 2) text += "," + std::to_string(values[1]);
    }
    return text;
}

}  // namespace haze
