// Random problems under AddressSanitizer and UndefinedBehaviorSanitizer: every tensor is its own
// allocation of exactly its size, so that one element too far ends the program.
#include <cstdio>
#include <limits>
#include <random>

#include "host.h"

namespace {

using haze::HostHalf;
using haze::Number;

std::mt19937 generator{5};

int draw(int low, int high) { return std::uniform_int_distribution<int>(low, high)(generator); }

template <typename T>
std::vector<T> normal(int64_t count, float spread) {
    std::normal_distribution<float> distribution(0.F, spread);
    std::vector<T> values;
    values.reserve(count);
    for (int64_t i = 0; i < count; ++i)
        values.push_back(Number<T>::narrow(distribution(generator)));
    return values;
}

DeformConv2dProblem random_problem(bool is_half) {
    DeformConv2dProblem p{};
    p.is_half = is_half;
    p.groups = draw(1, 3);
    p.offset_groups = draw(1, 3);
    p.batch = draw(1, 2);
    p.channels = p.groups * p.offset_groups * draw(1, 9);
    p.filters = p.groups * draw(1, draw(0, 3) ? 12 : 70);
    int* const sizes[] = {&p.height, &p.width};
    int* const outs[] = {&p.out_height, &p.out_width};
    for (int axis = 0; axis < 2; ++axis) {
        p.kernel[axis] = draw(1, 5);
        p.stride[axis] = draw(1, 3);
        p.padding[axis] = draw(0, 3);
        p.dilation[axis] = draw(1, 2);
        do {
            *sizes[axis] = draw(1, 12);
            *outs[axis] = static_cast<int>(haze::out_size(
                *sizes[axis], p.kernel[axis], p.stride[axis], p.padding[axis], p.dilation[axis]));
        } while (*outs[axis] < 1);
    }
    return p;
}

// The equation, one sample at a time, with none of the kernel's code.
template <typename T>
double expected(const DeformConv2dProblem& p, const std::vector<T>& x,
    const std::vector<float>& offset, const std::vector<float>& mask, const std::vector<T>& weight,
    int64_t index) {
    const int taps = p.kernel[0] * p.kernel[1];
    const int64_t plane = int64_t{p.out_height} * p.out_width;
    const int64_t pixel = index % plane;
    const int64_t filter = index / plane % p.filters;
    const int64_t image = index / plane / p.filters;
    const int depth = p.channels / p.groups;
    double sum = 0;
    for (int k = 0; k < depth * taps; ++k) {
        const int64_t channel = filter / (p.filters / p.groups) * depth + k / taps;
        const int64_t shared = channel / (p.channels / p.offset_groups);
        const int64_t tap = (image * p.offset_groups + shared) * taps + k % taps;
        const double y = pixel / p.out_width * p.stride[0] - p.padding[0]
                         + k % taps / p.kernel[1] * p.dilation[0]
                         + double{offset[2 * tap * plane + pixel]};
        const double u = pixel % p.out_width * p.stride[1] - p.padding[1]
                         + k % taps % p.kernel[1] * p.dilation[1]
                         + double{offset[(2 * tap + 1) * plane + pixel]};
        if (!std::isfinite(y) || !std::isfinite(u)) continue;
        double value = 0;
        for (int row = 0; row < p.height; ++row)
            for (int column = 0; column < p.width; ++column) {
                const double near =
                    std::fmax(0, 1 - std::fabs(y - row)) * std::fmax(0, 1 - std::fabs(u - column));
                const int64_t at =
                    ((image * p.channels + channel) * p.height + row) * p.width + column;
                if (near > 0) value += near * Number<T>::widen(x[at]);
            }
        sum +=
            value * mask[tap * plane + pixel] * Number<T>::widen(weight[filter * depth * taps + k]);
    }
    return sum;
}

// NaN is worse than anything; std::fmax would drop it.
double worse(double one, double other) { return one >= other || std::isnan(one) ? one : other; }

template <typename T>
double largest_error(bool is_half) {
    const DeformConv2dProblem p = random_problem(is_half);
    const int64_t taps = int64_t{p.kernel[0]} * p.kernel[1];
    const int64_t depth = p.channels / p.groups * taps;
    const int64_t places = p.batch * p.offset_groups * taps * p.out_height * p.out_width;
    const auto x = normal<T>(int64_t{p.batch} * p.channels * p.height * p.width, 1.F);
    auto offset = normal<float>(2 * places, draw(0, 2) ? 1.F : 30.F);
    constexpr float kInfinity = std::numeric_limits<float>::infinity();
    for (const float strange : {NAN, kInfinity, -kInfinity, 3e38F, -3e38F, 2.2e9F})
        offset[draw(0, static_cast<int>(offset.size()) - 1)] = strange;
    const auto mask = normal<float>(places, 1.F);
    const auto weight = normal<T>(p.filters * depth, 1.F / std::sqrt(static_cast<float>(depth)));
    std::vector<T> output(int64_t{p.batch} * p.filters * p.out_height * p.out_width);
    const haze::Pointers pointers{
        x.data(), offset.data(), mask.data(), weight.data(), output.data()};
    if (haze::run_on_host<T>(p, pointers, draw(1, 4), draw(0, 1)) != 0) return INFINITY;
    double largest = 0;
    for (size_t i = 0; i < output.size(); i += 3) {
        largest = worse(largest,
            std::fabs(Number<T>::widen(output[i]) - expected(p, x, offset, mask, weight, i)));
    }
    return largest;
}

}  // namespace

int main() {
    double single = 0, half = 0;
    for (int i = 0; i < 60; ++i) {
        single = worse(single, largest_error<float>(false));
        half = worse(half, largest_error<HostHalf>(true));
    }
    std::printf("FP32 %.2e FP16 %.2e\n", single, half);
    return single < 1e-4 && half < 1e-2 ? 0 : 1;
}
