// Plain statements that the tests compare with, and generators of random inputs.
#pragma once

#include "keel/base/random.h"
#include "keel/tensors/forest.h"

namespace keel::testing_reference {

/// Where random cases start: KEEL_TEST_SEED or 1. Printed, so that a failure can be repeated.
uint64_t generator_seed();

/// Where the tests that run on every device compute: KEEL_TEST_DEVICE or cpu.
at::Device test_device();

/// Deterministic standard normal values.
inline Tensor normal_tensor(std::vector<int64_t> shape, uint64_t seed, at::ScalarType type = at::kDouble) {
  Tensor values = at::empty(shape, at::kDouble);
  RandomSequence random({.seed = seed});
  double* data = values.data_ptr<double>();
  for (int64_t i = 0; i < values.numel(); ++i) data[i] = random.normal();
  return values.to(type);
}

/// A random forest with a tree of three levels, others of one to three, and segments of unequal length.
inline std::vector<Segment> random_segments(uint64_t seed, int64_t roots = 3, int64_t longest = 5) {
  RandomSequence random({.seed = seed});
  std::vector<Segment> segments;
  int64_t end = 0;
  const auto add = [&](int32_t parent) {
    const int64_t size = 1 + random.below(longest);
    segments.push_back({end, end + size, parent});
    end += size;
    return static_cast<int32_t>(segments.size()) - 1;
  };
  for (int64_t root = 0; root < roots; ++root) {
    const int32_t top = add(-1);
    for (int64_t child = random.below(3) + (root == 0); child > 0; --child) {
      const int32_t middle = add(top);
      for (int64_t leaf = random.below(3) + (root == 0); leaf > 0; --leaf) add(middle);
    }
  }
  return segments;
}

/// True where row i may see row j: its own segment up to itself, and every ancestor's. Stated by the tree
/// alone, not by the pieces that the code under test is made of.
inline Tensor visibility(const std::vector<Segment>& segments) {
  const int64_t rows = segments.back().end;
  Tensor mask = at::zeros({rows, rows}, at::kBool);
  for (const Segment& own : segments)
    for (int64_t i = own.begin; i < own.end; ++i) {
      mask[i].slice(0, own.begin, i + 1).fill_(true);
      for (int32_t at = own.parent; at >= 0; at = segments[static_cast<size_t>(at)].parent) {
        const Segment& ancestor = segments[static_cast<size_t>(at)];
        mask[i].slice(0, ancestor.begin, ancestor.end).fill_(true);
      }
    }
  return mask;
}

/// Softmax attention with a dense mask, by autograd.
inline Tensor dense_attention(const Tensor& q, const Tensor& k, const Tensor& v,
                              const std::vector<Segment>& segments, double scale) {
  const int64_t group = q.size(1) / k.size(1);
  const Tensor keys = k.repeat_interleave(group, 1).permute({1, 2, 0});
  const Tensor values = v.repeat_interleave(group, 1).transpose(0, 1);
  const Tensor scores = q.transpose(0, 1).matmul(keys) * scale;
  const Tensor masked = scores.masked_fill(visibility(segments).logical_not(), -1e300);
  return masked.softmax(-1).matmul(values).transpose(0, 1);
}

/// Largest |a - b|.
inline double largest_difference(const Tensor& a, const Tensor& b) {
  return (a.to(at::kCPU, at::kDouble) - b.to(at::kCPU, at::kDouble)).abs().max().item().toDouble();
}

/// Gradients of sum(output * weights) with respect to the inputs.
std::vector<Tensor> gradients(const Tensor& output, const Tensor& weights, const std::vector<Tensor>& inputs);

/// The largest difference between autograd's gradient of sum(f(inputs) * weights) and central differences,
/// float64.
double gradient_error(const std::function<Tensor(const std::vector<Tensor>&)>& f, std::vector<Tensor> inputs,
                      uint64_t seed);

}  // namespace keel::testing_reference
