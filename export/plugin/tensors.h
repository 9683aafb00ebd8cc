// From untyped pointers to the kernel's tensors, checked.
#pragma once

#include "tile.h"

namespace haze {

struct Pointers {
    const void* x;
    const void* offset;
    const void* mask;
    const void* weight;
    void* output;
};

inline bool is_aligned(const void* pointer, size_t bytes) {
    return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

// Whether each pointer is there and aligned to its own type.
inline bool are_usable(const Pointers& p, size_t data_bytes) {
    for (const void* data : {p.x, p.weight, static_cast<const void*>(p.output)})
        if (data == nullptr || !is_aligned(data, data_bytes)) return false;
    for (const void* wide : {p.offset, p.mask})
        if (wide == nullptr || !is_aligned(wide, sizeof(float))) return false;
    return true;
}

template <typename T>
Tensors<T> tensors_of(const DeformConv2dProblem& problem, const Pointers& p) {
    Tensors<T> t{problem, static_cast<const T*>(p.x), static_cast<const float*>(p.offset),
        static_cast<const float*>(p.mask), static_cast<const T*>(p.weight),
        static_cast<T*>(p.output), false, false};
    // Every row and every plane starts at a multiple of 16 bytes when the first does and their
    // length is one; slices begin at multiples of 288 bytes.
    t.aligned_weights =
        is_aligned(t.weight, 16) && channels_per_group(t) * taps(t) % kVector<T> == 0;
    t.aligned_output = is_aligned(t.output, 16) && out_plane(t) % kVector<T> == 0;
    return t;
}

}  // namespace haze
