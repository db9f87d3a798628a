#include "keel/tensors/linear_logprob_blocks.h"

#include <algorithm>

#include "keel/tensors/block_product.h"
#include "keel/tensors/raw_bits.h"

namespace keel {
namespace {

constexpr int64_t kColumns = 256;          // of the vocabulary in one packed panel
constexpr int64_t kBlockLogits = 1 << 20;  // float32 logits of one thread, but at least 16 rows

}  // namespace

template <class T>
LogProbBlocks<T>::LogProbBlocks(const T* weight, int64_t vocabulary, int64_t width, double temperature)
    : vocabulary_(vocabulary),
      width_(width),
      padded_width_((width + kPair<T> - 1) / kPair<T> * kPair<T>),
      inverse_temperature_(static_cast<float>(1 / temperature)),
      packed_(static_cast<size_t>(vocabulary * padded_width_)) {
  const int64_t panels = (vocabulary + kColumns - 1) / kColumns;
  at::parallel_for(0, panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t p = begin; p < end; ++p)
      pack_by_columns(weight + p * kColumns * width, width, std::min(kColumns, vocabulary - p * kColumns),
                      width, packed_.data() + p * kColumns * padded_width_);
  });
}

template <class T>
template <class Row>
void LogProbBlocks<T>::for_each_row(const T* hidden, int64_t rows, const Row& row) const {
  const int64_t taken = std::clamp<int64_t>(kBlockLogits / vocabulary_, 16, 64);
  const int64_t blocks = (rows + taken - 1) / taken;
  at::parallel_for(0, blocks, 1, [&](int64_t begin, int64_t end) {
    // Rows behind the last are products of zeros: few shapes of products, each compiled when it is first met.
    std::vector<float> logits(static_cast<size_t>(taken * vocabulary_));
    std::vector<T> copy(static_cast<size_t>(taken * padded_width_));
    for (int64_t b = begin; b < end; ++b) {
      const int64_t first = b * taken, count = std::min(taken, rows - first);
      std::fill(copy.begin() + count * padded_width_, copy.end(), T(0));
      for (int64_t r = 0; r < count; ++r)
        std::copy_n(hidden + (first + r) * width_, width_, copy.data() + r * padded_width_);
      for (int64_t c = 0; c < vocabulary_; c += kColumns)
        block_product({taken, std::min(kColumns, vocabulary_ - c), padded_width_, padded_width_,
                       std::min(kColumns, vocabulary_ - c), vocabulary_},
                      copy.data(), packed_.data() + c * padded_width_, logits.data() + c, false);
      for (int64_t r = 0; r < count; ++r) row(first + r, logits.data() + r * vocabulary_);
    }
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
