#include "log.h"

#include <dlfcn.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <string>

#include "plugin.h"

namespace haze {

namespace {

using nvinfer1::ILogger;
using nvinfer1::ILoggerFinder;

std::atomic<ILoggerFinder*> logger_finder{nullptr};

// ILoggerFinder got a base class in TensorRT 11.0, and findLogger another place in the vtable:
// across major versions the call would end in another function. Nothing says the version but the
// library that the finder's vtable lies in.
bool is_of_our_version(const ILoggerFinder* finder) {
    Dl_info place{};
    if (dladdr(*reinterpret_cast<void* const*>(finder), &place) == 0) return false;
    void* const library = dlopen(place.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    // No library is a program with a finder of its own.
    void* const function = dlsym(library ? library : RTLD_DEFAULT, "getInferLibMajorVersion");
    const bool is_ours =
        function != nullptr && reinterpret_cast<int32_t (*)()>(function)() == NV_TENSORRT_MAJOR;
    if (library != nullptr) dlclose(library);
    return is_ours;
}

}  // namespace

void log_through(ILoggerFinder* finder) noexcept {
    logger_finder = finder != nullptr && is_of_our_version(finder) ? finder : nullptr;
}

void log_error(const char* where, const char* sentence) noexcept {
    try {
        const std::string line = std::string(kName) + "." + where + ": " + sentence;
        ILoggerFinder* const finder = logger_finder;
        ILogger* const logger = finder == nullptr ? nullptr : finder->findLogger();
        if (logger != nullptr)
            logger->log(ILogger::Severity::kERROR, line.c_str());
        else
            std::fprintf(stderr, "%s\n", line.c_str());
    } catch (...) {
        // Nowhere is left to say it.
    }
}

}  // namespace haze
