// A shared library of the kernel's steps on the CPU, for ctypes.
#include "host.h"

extern "C" int run(const DeformConv2dProblem* problem, const void* x, const void* offset,
    const void* mask, const void* weight, void* output, int64_t blocks, int backwards) {
    const haze::Pointers pointers{x, offset, mask, weight, output};
    return problem->is_half
               ? haze::run_on_host<haze::HostHalf>(*problem, pointers, blocks, backwards != 0)
               : haze::run_on_host<float>(*problem, pointers, blocks, backwards != 0);
}

// `sentence` takes 200 bytes.
extern "C" void complain(const DeformConv2dProblem* problem, char* sentence) {
    std::strncpy(sentence, haze::complaint(*problem).c_str(), 199);
}

extern "C" float widen(uint16_t bits) { return haze::Number<haze::HostHalf>::widen({bits}); }

extern "C" uint16_t narrow(float value) { return haze::Number<haze::HostHalf>::narrow(value).bits; }
