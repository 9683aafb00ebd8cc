// Sentences for the user, through TensorRT's logger where it has given us one.
#pragma once

#include <NvInferRuntime.h>

#include <exception>

namespace haze {

void log_through(nvinfer1::ILoggerFinder* finder) noexcept;

// To standard error where there is no logger.
void log_error(const char* where, const char* sentence) noexcept;

// Runs `action`; a sentence it throws is logged and becomes `failed`. TensorRT's methods are
// noexcept, so nothing may leave them.
template <typename Result, typename Action>
Result guarded(const char* where, Result failed, Action action) noexcept {
    try {
        return action();
    } catch (const std::exception& error) {
        log_error(where, error.what());
    } catch (...) {
        log_error(where, "an unknown exception");
    }
    return failed;
}

}  // namespace haze
