#include "keel/models/dropout.h"

#include <stdexcept>

#include "keel/base/random.h"

namespace keel {

Tensor apply_dropout(const Tensor& x, const Dropout& dropout, const Tensor& positions, int64_t site) {
  const int64_t rows = x.size(0), width = x.size(1);
  if (static_cast<int64_t>(dropout.documents.size()) != rows)
    throw std::invalid_argument("[dropout] expected a document for each row");
  Tensor mask = at::empty({rows, width}, at::kFloat);
  float* values = mask.data_ptr<float>();
  const Tensor host_positions = positions.to(at::kCPU);
  const int64_t* position = host_positions.const_data_ptr<int64_t>();
  const auto kept = static_cast<float>(1.0 / (1.0 - dropout.rate));
  const auto threshold = static_cast<uint32_t>(dropout.rate * 4294967296.0);
  at::parallel_for(0, rows, 16, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t at = 0; at < width; at += 4) {  // one draw serves four elements
        const auto draw =
            philox({dropout.seed, Stream::dropout, dropout.step,
                    static_cast<uint32_t>(dropout.documents[static_cast<size_t>(row)]),
                    static_cast<uint32_t>(position[row]), static_cast<uint32_t>(site * 65536 + at / 4)});
        for (int64_t i = at; i < std::min(at + 4, width); ++i)
          values[row * width + i] = draw[static_cast<size_t>(i - at)] < threshold ? 0.0F : kept;
      }
  });
  return x * mask.to(x.options());
}

}  // namespace keel
