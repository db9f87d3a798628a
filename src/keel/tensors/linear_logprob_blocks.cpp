#include "keel/tensors/linear_logprob_blocks.h"

#include <algorithm>
#include <vector>

#include "keel/tensors/raw_bits.h"
#include "keel/tensors/tasks.h"

namespace keel {
namespace {

constexpr int64_t kBlockLogits = 1 << 20;  // float32 logits of one thread, but at least 16 rows

}  // namespace

template <class T>
LogProbBlocks<T>::LogProbBlocks(const Tensor& weight, double temperature)
    : vocabulary_(weight.size(0)),
      width_(weight.size(1)),
      inverse_temperature_(static_cast<float>(1 / temperature)),
      panels_(Panels<T>::of_rows(weight)) {}

template <class T>
template <class Row>
void LogProbBlocks<T>::for_each_row(const T* hidden, int64_t rows, const Row& row) const {
  const int64_t taken = std::clamp<int64_t>(kBlockLogits / vocabulary_, 16, 64),
                columns = panels_.padded_outputs();
  for_each_task((rows + taken - 1) / taken, [&](int64_t block) {
    const int64_t first = block * taken, count = std::min(taken, rows - first);
    std::vector<float> logits(static_cast<size_t>(count * columns));
    panels_.multiply_rows(hidden + first * width_, width_, count, logits.data());
    for (int64_t r = 0; r < count; ++r) row(first + r, logits.data() + r * columns);
  });
}

template <class T>
void LogProbBlocks<T>::forward(const T* hidden, const int64_t* tokens, int64_t rows, float* logp,
                               float* entropy, float* lse) const {
  for_each_row(hidden, rows, [&](int64_t i, const float* logits) {
    LogProbRow row{logits, vocabulary_, tokens[i], inverse_temperature_};
    row_kernels().logprob(row);
    logp[i] = row.logp, entropy[i] = row.entropy, lse[i] = row.lse;
  });
}

template <class T>
void LogProbBlocks<T>::backward(const T* hidden, const int64_t* tokens, int64_t rows, const float* entropy,
                                const float* lse, const float* dlogp, const float* dentropy,
                                T* dlogits) const {
  for_each_row(hidden, rows, [&](int64_t i, const float* logits) {
    kernels<T>().logprob_back({logits, vocabulary_, tokens[i], inverse_temperature_, lse[i], entropy[i],
                               dlogp[i], dentropy != nullptr ? dentropy[i] : 0.0F,
                               bits(dlogits + i * vocabulary_)});
  });
}

template <class T>
void LogProbBlocks<T>::forward_backward(const T* hidden, const int64_t* tokens, int64_t rows,
                                        const float* dlogp, float* logp, float* entropy, float* lse,
                                        T* dlogits) const {
  for_each_row(hidden, rows, [&](int64_t i, const float* logits) {
    LogProbRow row{logits, vocabulary_, tokens[i], inverse_temperature_};
    row_kernels().logprob(row);
    logp[i] = row.logp, entropy[i] = row.entropy, lse[i] = row.lse;
    kernels<T>().logprob_back({logits, vocabulary_, tokens[i], inverse_temperature_, row.lse, row.entropy,
                               dlogp[i], 0.0F, bits(dlogits + i * vocabulary_)});
  });
}

template class LogProbBlocks<float>;
template class LogProbBlocks<c10::BFloat16>;

}  // namespace keel
