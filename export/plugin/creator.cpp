// What TensorRT finds in the library: the creator of the plugin, and where to put a logger.
#include "log.h"
#include "plugin.h"

namespace haze {

namespace {

using namespace nvinfer1;

class Creator final : public IPluginCreatorV3One {
public:
    IPluginV3* createPlugin(
        const char*, const PluginFieldCollection* fields, TensorRTPhase) noexcept override {
        return guarded<IPluginV3*>("createPlugin", nullptr,
            [&] { return new DeformConv2dPlugin(attributes_from(fields)); });
    }

    const PluginFieldCollection* getFieldNames() noexcept override { return &collection_; }
    const char* getPluginName() const noexcept override { return kName; }
    const char* getPluginVersion() const noexcept override { return kVersion; }
    const char* getPluginNamespace() const noexcept override { return kNamespace; }

private:
    std::vector<PluginField> fields_ = fields_of(nullptr);
    PluginFieldCollection collection_{static_cast<int32_t>(fields_.size()), fields_.data()};
};

}  // namespace

}  // namespace haze

// Both names and signatures are those that IPluginRegistry::loadLibrary looks for.
extern "C" __attribute__((visibility("default"))) nvinfer1::IPluginCreatorInterface* const*
getCreators(int32_t& count) {
    static haze::Creator creator;
    static nvinfer1::IPluginCreatorInterface* const creators[] = {&creator};
    count = 1;
    return creators;
}

extern "C" __attribute__((visibility("default"))) void setLoggerFinder(
    nvinfer1::ILoggerFinder* finder) {
    haze::log_through(finder);
}
