#include "deform_conv2d.h"

#include <cuda_fp16.h>
#include <cuda_runtime_api.h>
#include <mma.h>
#include <algorithm>

#include "product.h"
#include "tensors.h"

namespace haze {

template <>
struct Number<__half> {
    static HAZE_FUNCTION float widen(__half value) { return __half2float(value); }
    static HAZE_FUNCTION __half narrow(float value) { return __float2half_rn(value); }
};

namespace {

namespace wmma = nvcuda::wmma;

// 16x16 sums in FP32, spread over a warp by the tensor cores; products are of FP16.
struct TensorCoreMatrix {
    wmma::fragment<wmma::accumulator, 16, 16, 16, float> sums;

    __device__ void clear() { wmma::fill_fragment(sums, 0.F); }

    // Both matrices row by row. WMMA wants pointers aligned to 32 bytes and strides to 16.
    __device__ void multiply_add(
        const __half* left, int left_stride, const __half* right, int right_stride, int /*lane*/) {
        wmma::fragment<wmma::matrix_a, 16, 16, 16, __half, wmma::row_major> a;
        wmma::fragment<wmma::matrix_b, 16, 16, 16, __half, wmma::row_major> b;
        wmma::load_matrix_sync(a, left, left_stride);
        wmma::load_matrix_sync(b, right, right_stride);
        wmma::mma_sync(sums, a, b, sums);
    }

    __device__ void store(float* to, int stride, int /*lane*/) const {
        wmma::store_matrix_sync(to, sums, stride, wmma::mem_row_major);
    }
};

template <typename T, int Filters>
struct ProductOf {
    using Type = ThreadProduct<T, Filters>;
};

template <int Filters>
struct ProductOf<__half, Filters> {
    using Type = WarpProduct<__half, Filters, TensorCoreMatrix>;
};

template <typename P>
struct BlockThreads {
    using Product = P;
    Product product;

    template <typename Step>
    __device__ __forceinline__ void each(Step step) {
        step(static_cast<int>(threadIdx.x), product);
        __syncthreads();
    }
};

// Three blocks a multiprocessor leave 72 registers a thread: at four, 56, ptxas 13.0 put most loads
// of a batch one behind the other.
template <typename T, int Filters>
__global__ void __launch_bounds__(kThreads, 3) deform_conv2d(const __grid_constant__ Tensors<T> t) {
    __shared__ Shared<T, Filters> shared;
    BlockThreads<typename ProductOf<T, Filters>::Type> threads;
    const int64_t tiles = tile_count<Filters>(t);
    for (int64_t tile = blockIdx.x; tile < tiles; tile += gridDim.x)
        convolve_tile<Filters>(threads, t, tile, shared);
}

template <typename T, int Filters>
int launch(Tensors<T> t, cudaStream_t stream) {
    static_assert(sizeof(Shared<T, Filters>) <= 48 * 1024);
    // The largest grid along x is 2^31 - 1 blocks; a block takes several tiles beyond that.
    const int64_t blocks = std::min<int64_t>(tile_count<Filters>(t), INT32_MAX);
    void* arguments[] = {&t};
    return cudaLaunchKernel(reinterpret_cast<const void*>(deform_conv2d<T, Filters>),
        dim3(static_cast<unsigned>(blocks)), dim3(kThreads), arguments, 0, stream);
}

template <typename T>
int launch(const DeformConv2dProblem& problem, const Pointers& pointers, cudaStream_t stream) {
    if (problem.batch == 0) return cudaSuccess;
    if (!are_usable(pointers, sizeof(T))) return -1;
    const Tensors<T> t = tensors_of<T>(problem, pointers);
    return filters_per_group(t) <= 32 ? launch<T, 32>(t, stream) : launch<T, 64>(t, stream);
}

}  // namespace
}  // namespace haze

int haze_deform_conv2d_launch(const DeformConv2dProblem* problem, const void* x, const void* offset,
    const void* mask, const void* weight, void* output, void* stream) {
    if (problem == nullptr || !haze::complaint(*problem).empty()) return -1;
    const haze::Pointers pointers{x, offset, mask, weight, output};
    auto* const queue = static_cast<cudaStream_t>(stream);
    return problem->is_half ? haze::launch<__half>(*problem, pointers, queue)
                            : haze::launch<float>(*problem, pointers, queue);
}
