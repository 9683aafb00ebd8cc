// TensorRT's expressions for dimensions, computed on the spot.
#pragma once

#include <NvInferRuntime.h>

#include <cstdlib>
#include <deque>

// The number is the expression's own implementation.
class FakeExpression : public nvinfer1::IDimensionExpr, public nvinfer1::apiv::VDimensionExpr {
public:
    explicit FakeExpression(int64_t value) : value_(value) { mImpl = this; }
    bool isConstant() const override { return true; }
    int64_t getConstantValue() const override { return value_; }
    bool isSizeTensor() const override { return false; }

private:
    int64_t value_;
};

class FakeExpressions : public nvinfer1::IExprBuilder, public nvinfer1::apiv::VExprBuilder {
public:
    FakeExpressions() { mImpl = this; }

    const nvinfer1::IDimensionExpr* constant(int64_t value) override {
        return &expressions_.emplace_back(value);
    }

    const nvinfer1::IDimensionExpr* operation(nvinfer1::DimensionOperation operation,
        const nvinfer1::IDimensionExpr& one, const nvinfer1::IDimensionExpr& other) override {
        using Operation = nvinfer1::DimensionOperation;
        const int64_t a = one.getConstantValue();
        const int64_t b = other.getConstantValue();
        switch (operation) {
            case Operation::kSUM:
                return constant(a + b);
            case Operation::kSUB:
                return constant(a - b);
            case Operation::kPROD:
                return constant(a * b);
            case Operation::kFLOOR_DIV:
                return constant(a / b - (a % b != 0 && (a < 0) != (b < 0)));
            default:
                std::abort();  // the plugin needs no other
        }
    }

    const nvinfer1::IDimensionExpr* declareSizeTensor(
        int32_t, const nvinfer1::IDimensionExpr&, const nvinfer1::IDimensionExpr&) override {
        std::abort();
    }

private:
    std::deque<FakeExpression> expressions_;
};
