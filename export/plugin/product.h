// The matrix product of a tile: who keeps which sums, and how a slice is added to them.
#pragma once

#include "tile.h"

namespace haze {

struct alignas(16) Float4 {
    float values[4];
};

// FP32: each of 256 threads keeps four pixels of Filters / 32 filters, 32 apart.
template <typename T, int Filters>
struct ThreadProduct {
    static constexpr int kStep = 4;  // the depth is padded to a multiple of this
    static constexpr int kRows = Filters / 32;
    static constexpr int kColumns = kPixels / 4;
    static constexpr int kBusyThreads = 32 * kColumns;
    float sums[kRows][4];

    HAZE_FUNCTION void clear() {
        HAZE_UNROLL
        for (auto& row : sums) {
            HAZE_UNROLL
            for (float& sum : row) sum = 0.F;
        }
    }

    HAZE_FUNCTION void add(const Operands<T, Filters>& from, int depth, int thread) {
        if (thread >= kBusyThreads) return;
        constexpr int kWeightStride = Operands<T, Filters>::kWeightStride;
        const float* weights = from.weights + thread / kColumns * kWeightStride;
        const float* samples = from.samples + thread % kColumns * 4;
        for (int k = 0; k < depth; k += kStep) {
            Float4 weight[kRows];
            HAZE_UNROLL
            for (int row = 0; row < kRows; ++row)
                weight[row] =
                    *reinterpret_cast<const Float4*>(weights + row * 32 * kWeightStride + k);
            HAZE_UNROLL
            for (int i = 0; i < kStep; ++i) {
                const Float4 sample = *reinterpret_cast<const Float4*>(
                    samples + (k + i) * Operands<T, Filters>::kSampleStride);
                HAZE_UNROLL
                for (int row = 0; row < kRows; ++row) {
                    HAZE_UNROLL
                    for (int j = 0; j < 4; ++j)
                        sums[row][j] += weight[row].values[i] * sample.values[j];
                }
            }
        }
    }

    HAZE_FUNCTION void store(float* results, int thread) const {
        if (thread >= kBusyThreads) return;
        float* to = results + thread / kColumns * kResultStride + thread % kColumns * 4;
        HAZE_UNROLL
        for (int row = 0; row < kRows; ++row) {
            HAZE_UNROLL
            for (int j = 0; j < 4; ++j) to[row * 32 * kResultStride + j] = sums[row][j];
        }
    }
};

// FP16: each warp keeps 16 filters by 16 pixels in a `Matrix`, of tensor cores on the GPU.
template <typename T, int Filters, typename Matrix>
struct WarpProduct {
    static constexpr int kStep = 16;
    static constexpr int kAcross = kPixels / 16;
    static constexpr int kBusyThreads = Filters / 16 * kAcross * kWarp;
    static_assert(kBusyThreads <= kThreads);
    Matrix sums;

    HAZE_FUNCTION void clear() { sums.clear(); }

    HAZE_FUNCTION void add(const Operands<T, Filters>& from, int depth, int thread) {
        if (thread >= kBusyThreads) return;
        constexpr int kWeightStride = Operands<T, Filters>::kWeightStride;
        constexpr int kSampleStride = Operands<T, Filters>::kSampleStride;
        const int warp = thread / kWarp;
        const T* weights = from.weights + warp / kAcross * 16 * kWeightStride;
        const T* samples = from.samples + warp % kAcross * 16;
        for (int k = 0; k < depth; k += kStep)
            sums.multiply_add(weights + k, kWeightStride, samples + k * kSampleStride,
                kSampleStride, thread % kWarp);
    }

    HAZE_FUNCTION void store(float* results, int thread) const {
        if (thread >= kBusyThreads) return;
        const int warp = thread / kWarp;
        sums.store(results + warp / kAcross * 16 * kResultStride + warp % kAcross * 16,
            kResultStride, thread % kWarp);
    }
};

template <typename T, int Filters>
HAZE_FUNCTION void write_output(
    const Tensors<T>& t, const Tile& tile, const float* results, int thread) {
    const int plane = out_plane(t);
    const int64_t filter = int64_t{tile.group} * filters_per_group(t) + tile.filter;
    T* output = t.output + (tile.image * t.problem.filters + filter) * plane + tile.pixel;
    constexpr int kWide = kVector<T>;
    constexpr int kAcross = kPixels / kWide;
    for (int i = thread; i < tile.filters * kAcross; i += kThreads) {
        const int row = i / kAcross;
        const int pixel = i % kAcross * kWide;
        const float* from = results + row * kResultStride + pixel;
        T* to = output + int64_t{row} * plane + pixel;
        union {
            T values[kWide];
            Bytes16 bytes;
        };
        HAZE_UNROLL
        for (int j = 0; j < kWide; ++j) values[j] = Number<T>::narrow(from[j]);
        // Aligned planes are whole vectors, so that one inside the tile is whole, too.
        if (t.aligned_output && pixel < tile.pixels) {
            *reinterpret_cast<Bytes16*>(to) = bytes;
        } else {
            HAZE_UNROLL
            for (int j = 0; j < kWide; ++j)
                if (pixel + j < tile.pixels) to[j] = values[j];
        }
    }
}

// One tile from its first weight to its last pixel. `each` runs a step in all threads and waits for
// them, so that every step finds in shared memory what the step before it put there.
template <int Filters, typename T, typename Threads>
HAZE_FUNCTION void convolve_tile(
    Threads& threads, const Tensors<T>& t, int64_t index, Shared<T, Filters>& shared) {
    using Product = typename Threads::Product;
    const Tile tile = tile_at<Filters>(t, index);
    const int depth = channels_per_group(t) * taps(t);
    constexpr int kDepth = Operands<T, Filters>::kDepth;
    for (int first = 0; first < depth; first += kDepth) {
        const int count = depth - first < kDepth ? depth - first : kDepth;
        const int padded = (count + Product::kStep - 1) / Product::kStep * Product::kStep;
        const Slice slice{first, count, padded};
        threads.each([&](int thread, Product& product) {
            if (slice.first == 0) product.clear();
            stage_weights<T, Filters>(t, tile, slice, shared.operands, thread);
            stage_samples<T, Filters>(t, tile, slice, shared.operands, thread);
        });
        threads.each([&](int thread, Product& product) {
            product.add(shared.operands, slice.padded, thread);
        });
    }
    threads.each([&](int thread, Product& product) { product.store(shared.results, thread); });
    threads.each(
        [&](int thread, Product&) { write_output<T, Filters>(t, tile, shared.results, thread); });
}

}  // namespace haze
