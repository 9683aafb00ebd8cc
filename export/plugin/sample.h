// One sample of a deformable convolution: where it lies and its bilinear interpolation.
//
// nvcc compiles these functions for the GPU; g++ compiles the same text for the CPU, where
// tests/export/test_plugin.py compares it with ONNX Runtime.
#pragma once

#include <cmath>
#include <cstdint>

#ifdef __CUDACC__
#define HAZE_FUNCTION __host__ __device__ __forceinline__
#else
#define HAZE_FUNCTION inline
#endif

#ifdef __CUDA_ARCH__
#define HAZE_UNROLL _Pragma("unroll")
#else
#define HAZE_UNROLL
#endif

namespace haze {

// How a type of data becomes float and back; FP16 is added by whoever knows such a type.
template <typename T>
struct Number;

template <>
struct Number<float> {
    static HAZE_FUNCTION float widen(float value) { return value; }
    static HAZE_FUNCTION float narrow(float value) { return value; }
};

template <typename T>
HAZE_FUNCTION T load(const T* address) {
#ifdef __CUDA_ARCH__
    return __ldg(address);
#else
    return *address;
#endif
}

// A place between four pixels: top left, top right, bottom left, bottom right.
struct SamplePoint {
    bool inside;      // less than a pixel outside still counts; further out the value is zero
    int pixel[4];     // indices in the plane; one outside stands for its neighbour inside
    float weight[4];  // of bilinear interpolation, times the mask; zero for a pixel outside
};

HAZE_FUNCTION int clamp(int value, int size) {
    return value < 0 ? 0 : value < size ? value : size - 1;
}

HAZE_FUNCTION SamplePoint sample_point(float y, float x, float mask, int height, int width) {
    SamplePoint point{};
    // False for NaN and infinity, too, so that the conversions to int below are always defined.
    point.inside =
        y > -1.F && y < static_cast<float>(height) && x > -1.F && x < static_cast<float>(width);
    if (!point.inside) return point;
    const float top = floorf(y);
    const float left = floorf(x);
    const int row = static_cast<int>(top);
    const int column = static_cast<int>(left);
    const float weight_y[2] = {1.F - (y - top), y - top};
    const float weight_x[2] = {1.F - (x - left), x - left};
    HAZE_UNROLL
    for (int i = 0; i < 4; ++i) {
        const int v = row + i / 2;
        const int u = column + i % 2;
        const bool exists = v >= 0 && v < height && u >= 0 && u < width;
        point.pixel[i] = clamp(v, height) * width + clamp(u, width);
        point.weight[i] = exists ? weight_y[i / 2] * weight_x[i % 2] * mask : 0.F;
    }
    return point;
}

// Values at the point of `Planes` planes that are `stride` apart, in FP32 until they are written
// `step` apart. All pixels are read, before the first is used: loads then wait for memory together.
template <int Planes, typename T>
HAZE_FUNCTION void sample(
    const T* plane, int64_t stride, const SamplePoint& point, T* values, int step) {
    T pixels[Planes][4];
    HAZE_UNROLL
    for (int i = 0; i < Planes; ++i) {
        HAZE_UNROLL
        for (int j = 0; j < 4; ++j) pixels[i][j] = load(plane + i * stride + point.pixel[j]);
    }
    HAZE_UNROLL
    for (int i = 0; i < Planes; ++i) {
        float sum = 0.F;
        HAZE_UNROLL
        for (int j = 0; j < 4; ++j) sum += point.weight[j] * Number<T>::widen(pixels[i][j]);
        // Not by zero weights alone: zero times an infinite pixel would be NaN.
        values[i * step] = Number<T>::narrow(point.inside ? sum : 0.F);
    }
}

}  // namespace haze
