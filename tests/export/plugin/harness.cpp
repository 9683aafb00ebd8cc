// Drives the plugin library as TensorRT would, without TensorRT: `harness LIBRARY`. With `other`
// after it the library was built for another major version, and must not call this program's
// logger.
#include "harness.h"

#include <dlfcn.h>

#include "fake_expressions.h"

namespace {

void test_creator() {
    EXPECT(std::string(creator->getPluginName()) == "HazeDeformConv2d");
    EXPECT(std::string(creator->getPluginVersion()) == "1");
    EXPECT(std::string(creator->getPluginNamespace()) == "dehaze");
    const PluginFieldCollection& names = *creator->getFieldNames();
    const auto given = kValues.fields();
    EXPECT(names.nbFields == static_cast<int32_t>(given.size()));
    for (size_t i = 0; i < given.size(); ++i) {
        EXPECT(std::string(names.fields[i].name) == given[i].name);
        EXPECT(names.fields[i].type == given[i].type && names.fields[i].length == given[i].length);
    }
}

void test_bad_fields() {
    EXPECT(creator->createPlugin("node", nullptr, TensorRTPhase::kBUILD) == nullptr);
    EXPECT_SAID("expected fields, got none");
    const auto refuse = [](size_t index, PluginField field, const char* sentence, int line) {
        auto fields = kValues.fields();
        fields[index] = field;
        expect(make(fields) == nullptr, "refused", line);
        expect_said(sentence, line);
    };
    const int32_t zero[2] = {0, 0}, minus[2] = {-1, 0};
    const int64_t large[2] = {1, int64_t{1} << 40};
    constexpr auto kType = PluginFieldType::kINT32;
    refuse(0, {"stride", zero, kType, 2}, "stride to be from 1 to 2^30, got 0", __LINE__);
    refuse(0, {"stride", large, PluginFieldType::kINT64, 2}, "got 1099511627776", __LINE__);
    refuse(0, {"stride", zero, kType, 3}, "expected field stride to be 2 INT32, got 3", __LINE__);
    refuse(0, {"stride", zero, PluginFieldType::kFLOAT32, 2}, "PluginFieldType 1", __LINE__);
    refuse(0, {"stride", nullptr, kType, 2}, "got no data", __LINE__);
    refuse(0, {"strides", zero, kType, 2}, "got a field named 'strides'", __LINE__);
    refuse(0, {nullptr, zero, kType, 2}, "got a field named ''", __LINE__);
    refuse(1, {"padding", minus, kType, 2}, "padding to be from 0 to 2^30, got -1", __LINE__);
    refuse(3, {"stride", kValues.stride, kType, 2}, "field stride once, got it twice", __LINE__);
    auto fields = kValues.fields();
    fields.pop_back();
    EXPECT(make(fields) == nullptr);
    EXPECT_SAID("expected field offset_groups, got none");
    const int64_t wide[2] = {2, 1};
    fields = kValues.fields();
    fields[0] = {"stride", wide, PluginFieldType::kINT64, 2};
    EXPECT(make(fields) != nullptr && sentences.empty());
}

void expect_fields(IPluginV3& plugin) {
    const PluginFieldCollection& written = *runtime(plugin).getFieldsToSerialize();
    const auto given = kValues.fields();
    EXPECT(written.nbFields == static_cast<int32_t>(given.size()));
    for (size_t i = 0; i < given.size(); ++i) {
        EXPECT(std::string(written.fields[i].name) == given[i].name);
        EXPECT(
            written.fields[i].type == given[i].type && written.fields[i].length == given[i].length);
        for (int32_t j = 0; j < given[i].length; ++j)
            EXPECT(static_cast<const int32_t*>(written.fields[i].data)[j]
                   == static_cast<const int32_t*>(given[i].data)[j]);
    }
    const std::string text = build(plugin).getTimingCacheID();
    EXPECT(text == "stride=2,1 padding=1,0 dilation=1,2 groups=2 offset_groups=3");
}

void test_copies() {
    auto plugin = make(kValues.fields());
    EXPECT(plugin != nullptr);
    auto* core =
        static_cast<IPluginV3OneCore*>(plugin->getCapabilityInterface(PluginCapabilityType::kCORE));
    EXPECT(std::string(core->getPluginName()) == creator->getPluginName());
    EXPECT(std::string(core->getPluginNamespace()) == creator->getPluginNamespace());
    expect_fields(*plugin);
    // A copy outlives what it was copied from, and so do the fields it writes.
    std::unique_ptr<IPluginV3> copy(plugin->clone());
    plugin.reset();
    std::unique_ptr<IPluginV3> attached(runtime(*copy).attachToContext(nullptr));
    copy.reset();
    expect_fields(*attached);
    const PluginFieldCollection* written = runtime(*attached).getFieldsToSerialize();
    std::unique_ptr<IPluginV3> again(
        creator->createPlugin("node", written, TensorRTPhase::kRUNTIME));
    EXPECT(again != nullptr);
    expect_fields(*again);
}

void test_formats() {
    auto plugin = make(kValues.fields());
    int supported = 0;
    for (const DataType data : {DataType::kFLOAT, DataType::kHALF})
        for (int32_t position = -1; position < 6; ++position)
            for (int32_t type = 0; type < EnumMax<DataType>(); ++type)
                for (int32_t format = 0; format < EnumMax<TensorFormat>(); ++format) {
                    DynamicPluginTensorDesc tensors[5]{};
                    tensors[0].desc.type = data;
                    const bool exists = position >= 0 && position < 5;
                    if (exists) {
                        tensors[position].desc.type = static_cast<DataType>(type);
                        tensors[position].desc.format = static_cast<TensorFormat>(format);
                    }
                    const bool got =
                        build(*plugin).supportsFormatCombination(position, tensors, 4, 1);
                    const bool wide = position == 1 || position == 2;
                    const bool right =
                        position == 0
                            ? type <= 1
                            : type == static_cast<int32_t>(wide ? DataType::kFLOAT : data);
                    EXPECT(got == (exists && format == 0 && right));
                    supported += got;
                }
    EXPECT(supported == 2 * (2 + 1 + 1 + 1 + 1));
    EXPECT(!build(*plugin).supportsFormatCombination(0, nullptr, 3, 1));
    EXPECT(build(*plugin).getNbOutputs() == 1);
    DataType in[4] = {DataType::kHALF, DataType::kFLOAT, DataType::kFLOAT, DataType::kHALF};
    DataType out = DataType::kFLOAT;
    EXPECT(build(*plugin).getOutputDataTypes(&out, 1, in, 4) == 0 && out == DataType::kHALF);
    EXPECT(build(*plugin).getOutputDataTypes(&out, 1, in, 3) != 0);
    EXPECT_SAID("expected 4 inputs and 1 output, got 3 and 1");
}

PluginTensorDesc describe(DataType type, std::vector<int64_t> sizes) {
    PluginTensorDesc desc{};
    desc.type = type;
    desc.dims.nbDims = static_cast<int32_t>(sizes.size());
    for (size_t i = 0; i < sizes.size(); ++i) desc.dims.d[i] = sizes[i];
    return desc;
}

// x of 6 channels and 7x9 pixels; 4 filters of 3 channels and 2x3 taps; 4x5 pixels come out.
std::vector<PluginTensorDesc> tensors(DataType data, int64_t batch) {
    return {describe(data, {batch, 6, 7, 9}), describe(DataType::kFLOAT, {batch, 36, 4, 5}),
        describe(DataType::kFLOAT, {batch, 18, 4, 5}), describe(data, {4, 3, 2, 3}),
        describe(data, {batch, 4, 4, 5})};
}

void test_shapes() {
    auto plugin = make(kValues.fields());
    FakeExpressions builder;
    DimsExprs in[4]{}, out{};
    const auto descriptions = tensors(DataType::kFLOAT, 2);
    for (int i = 0; i < 4; ++i) {
        in[i].nbDims = 4;
        for (int j = 0; j < 4; ++j) in[i].d[j] = builder.constant(descriptions[i].dims.d[j]);
    }
    EXPECT(build(*plugin).getOutputShapes(in, 4, nullptr, 0, &out, 1, builder) == 0);
    EXPECT(out.nbDims == 4);
    for (int j = 0; j < 4; ++j) EXPECT(out.d[j]->getConstantValue() == descriptions[4].dims.d[j]);
    in[1].nbDims = 3;
    EXPECT(build(*plugin).getOutputShapes(in, 4, nullptr, 0, &out, 1, builder) != 0);
    EXPECT_SAID("expected input 1 to have rank 4, got 3");
}

int32_t configure(IPluginV3& plugin, const std::vector<PluginTensorDesc>& tensors) {
    std::vector<DynamicPluginTensorDesc> dynamic(tensors.size());
    for (size_t i = 0; i < tensors.size(); ++i) dynamic[i].desc = tensors[i];
    return build(plugin).configurePlugin(dynamic.data(), 4, &dynamic[4], 1);
}

int32_t change(IPluginV3& plugin, const std::vector<PluginTensorDesc>& tensors) {
    return runtime(plugin).onShapeChange(tensors.data(), 4, &tensors[4], 1);
}

void test_contradictions() {
    auto plugin = make(kValues.fields());
    struct Wrong {
        int tensor, axis;
        int64_t size;
        const char* sentence;
    };
    const Wrong wrongs[] = {
        {0, 1, 5, "dimension 1 of x to be 6, got 5"},
        {1, 0, 1, "dimension 0 of offset to be 2, got 1"},
        {1, 1, 18, "dimension 1 of offset to be 36, got 18"},
        {1, 2, 3, "dimension 2 of offset to be 4, got 3"},
        {2, 1, 36, "dimension 1 of mask to be 18, got 36"},
        {2, 3, 9, "dimension 3 of mask to be 5, got 9"},
        {3, 0, 6, "dimension 1 of output to be 6, got 4"},
        {4, 3, 6, "dimension 3 of output to be 5, got 6"},
        {0, 2, int64_t{1} << 40, "dimension 2 of x to be from 0 to 2^30"},
        {3, 2, int64_t{1} << 30, "at most 2^30, got"},
    };
    for (const DataType data : {DataType::kFLOAT, DataType::kHALF}) {
        EXPECT(configure(*plugin, tensors(data, 2)) == 0 && change(*plugin, tensors(data, 2)) == 0);
        for (const Wrong& wrong : wrongs) {
            auto given = tensors(data, 2);
            given[wrong.tensor].dims.d[wrong.axis] = wrong.size;
            EXPECT(configure(*plugin, given) != 0);
            EXPECT_SAID(wrong.sentence);
            EXPECT(change(*plugin, given) != 0);
            EXPECT_SAID(wrong.sentence);
        }
    }
    auto dynamic = tensors(DataType::kHALF, -1);
    for (const int i : {0, 1, 2, 4}) dynamic[i].dims.d[2] = dynamic[i].dims.d[3] = -1;
    EXPECT(configure(*plugin, dynamic) == 0);
    EXPECT(change(*plugin, dynamic) != 0);
    EXPECT_SAID("dimension 0 of x to be known by now, got -1");
    auto mixed = tensors(DataType::kHALF, 2);
    mixed[1].type = DataType::kHALF;
    EXPECT(configure(*plugin, mixed) != 0);
    EXPECT_SAID("the DataType of offset to be FP32 (0), got 1");
    auto flat = tensors(DataType::kHALF, 2);
    flat[0].dims.nbDims = 3;
    EXPECT(configure(*plugin, flat) != 0);
    EXPECT_SAID("the rank of x to be 4, got 3");
    EXPECT(build(*plugin).configurePlugin(nullptr, 0, nullptr, 0) != 0);
    EXPECT_SAID("the number of inputs to be 4 (x, offset, mask, weight), got 0");
}

void test_enqueue() {
    auto plugin = make(kValues.fields());
    const void* inputs[4] = {};
    void* outputs[1] = {};
    const auto enqueue = [&](const std::vector<PluginTensorDesc>& given) {
        return runtime(*plugin).enqueue(given.data(), &given[4], inputs, outputs, nullptr, nullptr);
    };
    EXPECT(enqueue(tensors(DataType::kHALF, 0)) == 0);
    EXPECT(enqueue(tensors(DataType::kHALF, 2)) != 0);
    EXPECT_SAID("expected aligned tensors, got one that is null or not");
    auto given = tensors(DataType::kHALF, 2);
    given[1].dims.d[3] = 6;
    EXPECT(enqueue(given) != 0);
    EXPECT_SAID("dimension 3 of offset to be 5, got 6");
    EXPECT(build(*plugin).getWorkspaceSize(nullptr, 4, nullptr, 1) == 0);
}

}  // namespace

// As libnvinfer has it: the plugin library asks for it.
extern "C" int32_t getInferLibMajorVersion() noexcept { return NV_TENSORRT_MAJOR; }

int main(int count_of_arguments, char** arguments) {
    is_other_version = count_of_arguments > 2;
    void* library = dlopen(arguments[1], RTLD_NOW | RTLD_LOCAL);
    expect(library != nullptr, library ? "" : dlerror(), __LINE__);
    using Creators = IPluginCreatorInterface* const* (*)(int32_t&);
    using SetFinder = void (*)(ILoggerFinder*);
    LoggerFinder finder;
    reinterpret_cast<SetFinder>(dlsym(library, "setLoggerFinder"))(&finder);
    int32_t count = 0;
    auto* const* creators = reinterpret_cast<Creators>(dlsym(library, "getCreators"))(count);
    EXPECT(count == 1);
    EXPECT(std::string(creators[0]->getInterfaceInfo().kind) == "PLUGIN CREATOR_V3ONE");
    creator = static_cast<IPluginCreatorV3One*>(creators[0]);
    test_creator();
    test_bad_fields();
    test_copies();
    test_formats();
    test_shapes();
    test_contradictions();
    test_enqueue();
    EXPECT(sentences.empty());
    std::printf("all met\n");
}
