// The kernel's steps on the CPU, with the warp's tensor cores and the block's threads imitated.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#include "product.h"
#include "tensors.h"

namespace haze {

// FP16 in its bits: g++ has _Float16 on x86 from version 13 only.
struct HostHalf {
    uint16_t bits;
};

template <>
struct Number<HostHalf> {
    static float widen(HostHalf value) {
        const int exponent = value.bits >> 10 & 31;
        const int mantissa = value.bits & 1023;
        float magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                          : exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                                          : std::ldexp(1024.F + mantissa, exponent - 25);
        return std::copysign(magnitude, value.bits & 0x8000 ? -1.F : 1.F);
    }

    static HostHalf narrow(float value) {
        const float magnitude = std::fabs(value);
        int bits = 0;
        if (std::isnan(value))
            bits = 0x7e00;
        else if (magnitude >= 65520.F)
            bits = 0x7c00;
        else if (magnitude < 0x1p-14F)
            bits = static_cast<int>(std::nearbyint(magnitude * 0x1p24F));
        else {
            // A mantissa that rounds up to 2048 carries into the exponent, as it should.
            const int exponent = std::ilogb(magnitude);
            const float mantissa = std::nearbyint(std::ldexp(magnitude, 10 - exponent));
            bits = (exponent + 14) * 1024 + static_cast<int>(mantissa);
        }
        return {static_cast<uint16_t>(bits | (std::signbit(value) ? 0x8000 : 0))};
    }
};

// What WMMA asks of pointers and strides; the GPU would fail or read elsewhere.
inline void require(bool met) {
    if (!met) std::abort();
}

// 16x16 sums over a warp's 32 lanes, eight each; as on the GPU, no lane sees another's.
struct PlainMatrix {
    float sums[8];

    void clear() { std::memset(sums, 0, sizeof(sums)); }

    void multiply_add(
        const HostHalf* left, int left_stride, const HostHalf* right, int right_stride, int lane) {
        require(is_aligned(left, 32) && is_aligned(right, 32));
        require(left_stride % 8 == 0 && right_stride % 8 == 0);
        for (int i = 0; i < 8; ++i) {
            const HostHalf* row = left + lane / 2 * left_stride;
            const HostHalf* column = right + lane % 2 * 8 + i;
            for (int k = 0; k < 16; ++k)
                sums[i] += Number<HostHalf>::widen(row[k])
                           * Number<HostHalf>::widen(column[k * right_stride]);
        }
    }

    void store(float* to, int stride, int lane) const {
        require(is_aligned(to, 32) && stride % 4 == 0);
        std::memcpy(to + lane / 2 * stride + lane % 2 * 8, sums, sizeof(sums));
    }
};

template <typename T, int Filters>
struct HostProduct {
    using Type = ThreadProduct<T, Filters>;
};

template <int Filters>
struct HostProduct<HostHalf, Filters> {
    using Type = WarpProduct<HostHalf, Filters, PlainMatrix>;
};

// A block's threads, one after the other; backwards they must come to the same.
template <typename P>
struct HostThreads {
    using Product = P;
    bool backwards;
    std::vector<Product> products = std::vector<Product>(kThreads);

    template <typename Step>
    void each(Step step) {
        for (int i = 0; i < kThreads; ++i) {
            const int thread = backwards ? kThreads - 1 - i : i;
            step(thread, products[thread]);
        }
    }
};

template <typename T, int Filters>
void run_tiles(const Tensors<T>& t, int64_t blocks, bool backwards) {
    using Memory = Shared<T, Filters>;
    const auto shared = std::make_unique<Memory>();
    for (int64_t block = 0; block < blocks; ++block) {
        HostThreads<typename HostProduct<T, Filters>::Type> threads{backwards};
        for (int64_t tile = block; tile < tile_count<Filters>(t); tile += blocks) {
            // NaN in either type: whatever is used without having been staged shows in the result.
            std::memset(static_cast<void*>(shared.get()), 0xff, sizeof(Memory));
            convolve_tile<Filters>(threads, t, tile, *shared);
        }
    }
}

// As haze_deform_conv2d_launch, with the number of blocks that share the tiles.
template <typename T>
int run_on_host(
    const DeformConv2dProblem& problem, const Pointers& pointers, int64_t blocks, bool backwards) {
    if (!complaint(problem).empty() || !are_usable(pointers, sizeof(T))) return -1;
    const Tensors<T> t = tensors_of<T>(problem, pointers);
    if (filters_per_group(t) <= 32)
        run_tiles<T, 32>(t, blocks, backwards);
    else
        run_tiles<T, 64>(t, blocks, backwards);
    return 0;
}

}  // namespace haze
