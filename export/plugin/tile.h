// How a block of threads computes one tile of the output: 32 pixels by `Filters` filters.
//
// It is a matrix product, weights (Filters x depth) by samples (depth x 32), where row k of the
// samples is one tap of one channel: k = channel * taps + tap, the order of the weights in memory.
// The depth goes through shared memory in slices, and every sample is taken once a slice.
// `Threads` runs the steps: on the GPU each thread its own, on the CPU one after the other.
#pragma once

#include "problem.h"
#include "sample.h"

namespace haze {

constexpr int kWarp = 32;
// As many warps as a 3x3 kernel has taps: each warp keeps to one tap and computes its place once.
constexpr int kWarps = 9;
constexpr int kThreads = kWarp * kWarps;
constexpr int kPixels = kWarp;
constexpr int kBatch = 4;  // channels whose 16 loads wait for memory together

// A vector load or store of 16 bytes, whatever they hold.
struct __attribute__((aligned(16), may_alias)) Bytes16 {
    uint32_t words[4];
};

template <typename T>
constexpr int kVector = 16 / sizeof(T);

template <typename T, int Filters>
struct Operands {
    // Two slices of FP16 or four of FP32 make up the 288 rows of 32 channels under a 3x3 kernel.
    static constexpr int kDepth = 288 / sizeof(T);
    // 16 bytes more than the row: rows then start in different banks of shared memory.
    static constexpr int kWeightStride = kDepth + kVector<T>;
    static constexpr int kSampleStride = kPixels + kVector<T>;
    alignas(128) T weights[Filters * kWeightStride];
    alignas(128) T samples[kDepth * kSampleStride];
};

constexpr int kResultStride = kPixels + 4;

// What a block needs: 31 KB at most, below the 48 KB that every GPU grants without asking.
template <typename T, int Filters>
union Shared {
    Operands<T, Filters> operands;
    alignas(128) float results[Filters * kResultStride];
};

// The problem and its tensors, as the kernel takes them.
template <typename T>
struct Tensors {
    DeformConv2dProblem problem;
    const T* x;
    const float* offset;
    const float* mask;
    const T* weight;
    T* output;
    bool aligned_weights;  // rows of the weights start at multiples of 16 bytes
    bool aligned_output;   // so do planes of the output
};

template <typename T>
HAZE_FUNCTION int filters_per_group(const Tensors<T>& t) {
    return t.problem.filters / t.problem.groups;
}

template <typename T>
HAZE_FUNCTION int channels_per_group(const Tensors<T>& t) {
    return t.problem.channels / t.problem.groups;
}

template <typename T>
HAZE_FUNCTION int taps(const Tensors<T>& t) {
    return t.problem.kernel[0] * t.problem.kernel[1];
}

template <typename T>
HAZE_FUNCTION int out_plane(const Tensors<T>& t) {
    return t.problem.out_height * t.problem.out_width;
}

HAZE_FUNCTION int64_t ceil_div(int64_t value, int64_t by) { return (value + by - 1) / by; }

template <int Filters, typename T>
HAZE_FUNCTION int64_t tile_count(const Tensors<T>& t) {
    return ceil_div(out_plane(t), kPixels) * ceil_div(filters_per_group(t), Filters)
           * t.problem.groups * t.problem.batch;
}

struct Tile {
    int64_t image;
    int group;
    int filter;   // the first, counted within its group
    int filters;  // how many there are; the tile's other rows stay unused
    int pixel;    // the first
    int pixels;
};

template <int Filters, typename T>
HAZE_FUNCTION Tile tile_at(const Tensors<T>& t, int64_t index) {
    const int64_t across = ceil_div(out_plane(t), kPixels);
    const int64_t down = ceil_div(filters_per_group(t), Filters);
    Tile tile{};
    tile.pixel = static_cast<int>(index % across) * kPixels;
    tile.filter = static_cast<int>(index / across % down) * Filters;
    tile.group = static_cast<int>(index / across / down % t.problem.groups);
    tile.image = index / across / down / t.problem.groups;
    const int pixels = out_plane(t) - tile.pixel;
    const int filters = filters_per_group(t) - tile.filter;
    tile.pixels = pixels < kPixels ? pixels : kPixels;
    tile.filters = filters < Filters ? filters : Filters;
    return tile;
}

// Rows [first, first + count) of the depth; `padded` is count rounded up for tensor cores, and the
// rows in between are zero on both sides.
struct Slice {
    int first;
    int count;
    int padded;
};

template <typename T, int Filters>
HAZE_FUNCTION void stage_weights(const Tensors<T>& t, const Tile& tile, const Slice& slice,
    Operands<T, Filters>& to, int thread) {
    const int depth = channels_per_group(t) * taps(t);
    const int64_t filter = int64_t{tile.group} * filters_per_group(t) + tile.filter;
    const T* from = t.weight + filter * depth + slice.first;
    constexpr int kRow = Operands<T, Filters>::kDepth;
    constexpr int kStride = Operands<T, Filters>::kWeightStride;
    if (t.aligned_weights) {
        constexpr int kVectors = kRow / kVector<T>;
        for (int i = thread; i < Filters * kVectors; i += kThreads) {
            const int row = i / kVectors;
            const int k = i % kVectors * kVector<T>;
            Bytes16 value{};
            if (row < tile.filters && k < slice.count)
                value = *reinterpret_cast<const Bytes16*>(from + int64_t{row} * depth + k);
            *reinterpret_cast<Bytes16*>(to.weights + row * kStride + k) = value;
        }
    } else {
        for (int i = thread; i < Filters * kRow; i += kThreads) {
            const int row = i / kRow;
            const int k = i % kRow;
            const bool exists = row < tile.filters && k < slice.count;
            to.weights[row * kStride + k] =
                exists ? load(from + int64_t{row} * depth + k) : Number<T>::narrow(0.F);
        }
    }
}

// Where one tap of an offset group samples for one pixel of the output.
template <typename T>
HAZE_FUNCTION SamplePoint tap_point(
    const Tensors<T>& t, int64_t image, int offset_group, int tap, int pixel) {
    const DeformConv2dProblem& p = t.problem;
    const int64_t plane = out_plane(t);
    const int64_t index = (image * p.offset_groups + offset_group) * taps(t) + tap;
    const int row =
        pixel / p.out_width * p.stride[0] - p.padding[0] + tap / p.kernel[1] * p.dilation[0];
    const int column =
        pixel % p.out_width * p.stride[1] - p.padding[1] + tap % p.kernel[1] * p.dilation[1];
    const float* offset = t.offset + 2 * index * plane + pixel;
    return sample_point(static_cast<float>(row) + load(offset),
        static_cast<float>(column) + load(offset + plane), load(t.mask + index * plane + pixel),
        p.height, p.width);
}

// A warp fills every ninth row, a thread its pixel in them. As long as the next row has the same
// tap and offset group, which it has for nine taps, the place is the same.
template <typename T, int Filters>
HAZE_FUNCTION void stage_samples(const Tensors<T>& t, const Tile& tile, const Slice& slice,
    Operands<T, Filters>& to, int thread) {
    const DeformConv2dProblem& p = t.problem;
    const int lane = thread % kWarp;
    const int per_offset_group = p.channels / p.offset_groups;
    const int channel_step = kWarps / taps(t);
    const int tap_step = kWarps % taps(t);
    const int64_t plane = int64_t{p.height} * p.width;
    int k = thread / kWarp;
    int tap = (slice.first + k) % taps(t);
    int channel = tile.group * channels_per_group(t) + (slice.first + k) / taps(t);
    while (k < slice.count) {
        const int offset_group = channel / per_offset_group;
        SamplePoint point{};
        if (lane < tile.pixels)
            point = tap_point(t, tile.image, offset_group, tap, tile.pixel + lane);
        int run = 1;
        if (tap_step == 0) {
            const int left = (offset_group + 1) * per_offset_group - channel;
            const int rows = (slice.count - k + kWarps - 1) / kWarps;
            run = (left + channel_step - 1) / channel_step;
            run = run < rows ? run : rows;
        }
        const int64_t stride = channel_step * plane;
        const T* from = t.x + (tile.image * p.channels + channel) * plane;
        constexpr int kStep = kWarps * Operands<T, Filters>::kSampleStride;
        T* values = to.samples + k * Operands<T, Filters>::kSampleStride + lane;
        int i = 0;
        for (; i + kBatch <= run; i += kBatch)
            sample<kBatch>(from + i * stride, stride, point, values + i * kStep, kStep);
        for (; i < run; ++i) sample<1>(from + i * stride, stride, point, values + i * kStep, kStep);
        k += run * kWarps;
        channel += run * channel_step;
        tap += tap_step;
        if (tap >= taps(t)) {
            tap -= taps(t);
            ++channel;
        }
    }
    for (; k < slice.padded; k += kWarps)
        to.samples[k * Operands<T, Filters>::kSampleStride + lane] = Number<T>::narrow(0.F);
}

}  // namespace haze
