// Sizes and attributes of one deformable convolution, and what makes them impossible.
//
// `DeformConv2dProblem` is the C interface of the library: tests/export/test_plugin.py has it in
// ctypes.
#pragma once

#include <cstdint>
#include <string>

// All pairs are (y, x).
struct DeformConv2dProblem {
    int32_t is_half;  // x, weight and output: 1 for FP16, 0 for FP32; offset and mask are FP32
    int32_t batch, channels, height, width;  // of x
    int32_t filters, out_height, out_width;  // of the output
    int32_t kernel[2], stride[2], padding[2], dilation[2];
    int32_t groups, offset_groups;
};

namespace haze {

// Planes, filters and padded sides up to here keep every index inside a plane or filter within 32
// bits; indices across planes are 64-bit.
constexpr int64_t kLargest = 1 << 30;

inline int64_t out_size(
    int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    const int64_t room = size + 2 * padding - dilation * (kernel - 1) - 1;
    return room < 0 ? 0 : room / stride + 1;
}

inline std::string expected(const std::string& what, const std::string& wanted, int64_t got) {
    return "expected " + what + " to be " + wanted + ", got " + std::to_string(got);
}

inline std::string complaint_of_axis(const DeformConv2dProblem& p, int axis) {
    const std::string name = axis == 0 ? " along y" : " along x";
    const int64_t size = axis == 0 ? p.height : p.width;
    const int64_t out = axis == 0 ? p.out_height : p.out_width;
    if (size < 1) return expected("the input's size" + name, "at least 1", size);
    if (p.kernel[axis] < 1) return expected("the kernel" + name, "at least 1", p.kernel[axis]);
    if (p.stride[axis] < 1) return expected("the stride" + name, "at least 1", p.stride[axis]);
    if (p.dilation[axis] < 1)
        return expected("the dilation" + name, "at least 1", p.dilation[axis]);
    if (p.padding[axis] < 0) return expected("the padding" + name, "at least 0", p.padding[axis]);
    const int64_t padded = size + 2 * int64_t{p.padding[axis]};
    if (padded > kLargest) return expected("the padded input" + name, "at most 2^30", padded);
    const int64_t wanted =
        out_size(size, p.kernel[axis], p.stride[axis], p.padding[axis], p.dilation[axis]);
    if (wanted < 1)
        return expected("the padded input" + name, "no smaller than the kernel", padded);
    if (out != wanted) return expected("the output" + name, std::to_string(wanted), out);
    return "";
}

// Why the problem cannot be run, as "expected ..., got ..."; empty when it can.
inline std::string complaint(const DeformConv2dProblem& p) {
    if (p.batch < 0) return expected("the batch", "at least 0", p.batch);
    if (p.channels < 1) return expected("the input's channels", "at least 1", p.channels);
    if (p.filters < 1) return expected("the number of filters", "at least 1", p.filters);
    for (const int32_t groups : {p.groups, p.offset_groups}) {
        if (groups < 1) return expected("groups and offset_groups", "at least 1", groups);
        if (p.channels % groups != 0)
            return expected(
                "the input's channels", "a multiple of " + std::to_string(groups), p.channels);
    }
    if (p.filters % p.groups != 0)
        return expected(
            "the number of filters", "a multiple of " + std::to_string(p.groups), p.filters);
    for (const int axis : {0, 1}) {
        const std::string sentence = complaint_of_axis(p, axis);
        if (!sentence.empty()) return sentence;
    }
    const int64_t plane = int64_t{p.height} * p.width;
    if (plane > kLargest) return expected("the input's plane", "at most 2^30 pixels", plane);
    const int64_t out_plane = int64_t{p.out_height} * p.out_width;
    if (out_plane > kLargest)
        return expected("the output's plane", "at most 2^30 pixels", out_plane);
    // Each kernel side is below 2^30 by now, so that their product cannot overflow.
    const int64_t taps = int64_t{p.kernel[0]} * p.kernel[1];
    if (taps > kLargest / (p.channels / p.groups))
        return expected(
            "the taps of one filter's plane", "at most 2^30 over all its channels", taps);
    return "";
}

}  // namespace haze
