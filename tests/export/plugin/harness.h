// What the harness expects with, and what it makes plugins of.
#pragma once

#include <NvInferRuntime.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

using namespace nvinfer1;

inline std::vector<std::string> sentences;
inline bool is_other_version = false;

#define EXPECT(condition) expect(condition, #condition, __LINE__)
inline void expect(bool met, const char* condition, int line) {
    if (met) return;
    std::printf("line %d: not so: %s\n", line, condition);
    if (!sentences.empty()) std::printf("last sentence: %s\n", sentences.back().c_str());
    std::exit(1);
}

// Expects that one sentence was logged since the last call, with `part` in it.
inline void expect_said(const std::string& part, int line) {
    const bool said = sentences.size() == 1 && sentences[0].find(part) != std::string::npos;
    expect(is_other_version ? sentences.empty() : said, ("said: " + part).c_str(), line);
    sentences.clear();
}
#define EXPECT_SAID(part) expect_said(part, __LINE__)

struct Logger : ILogger {
    void log(Severity severity, const char* text) noexcept override {
        EXPECT(severity == Severity::kERROR);
        sentences.emplace_back(text);
    }
};

struct LoggerFinder : ILoggerFinder {
    Logger logger;
    ILogger* findLogger() override { return &logger; }
};

struct Values {
    int32_t stride[2] = {2, 1}, padding[2] = {1, 0}, dilation[2] = {1, 2};
    int32_t groups = 2, offset_groups = 3;

    std::vector<PluginField> fields() const {
        constexpr auto kType = PluginFieldType::kINT32;
        return {{"stride", stride, kType, 2}, {"padding", padding, kType, 2},
            {"dilation", dilation, kType, 2}, {"groups", &groups, kType, 1},
            {"offset_groups", &offset_groups, kType, 1}};
    }
};

inline const Values kValues;
inline IPluginCreatorV3One* creator = nullptr;

inline std::unique_ptr<IPluginV3> make(const std::vector<PluginField>& fields) {
    const PluginFieldCollection collection{static_cast<int32_t>(fields.size()), fields.data()};
    return std::unique_ptr<IPluginV3>(
        creator->createPlugin("node", &collection, TensorRTPhase::kBUILD));
}

inline IPluginV3OneBuild& build(IPluginV3& plugin) {
    return *static_cast<IPluginV3OneBuild*>(
        plugin.getCapabilityInterface(PluginCapabilityType::kBUILD));
}

inline IPluginV3OneRuntime& runtime(IPluginV3& plugin) {
    return *static_cast<IPluginV3OneRuntime*>(
        plugin.getCapabilityInterface(PluginCapabilityType::kRUNTIME));
}
