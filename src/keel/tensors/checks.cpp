#include "keel/tensors/checks.h"

#include <stdexcept>

namespace keel {

std::string shape_text(at::IntArrayRef shape) {
  std::string text = "(";
  for (const int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + ")";
}

void check_shape(const char* where, const char* name, const Tensor& tensor, std::vector<int64_t> expected) {
  bool fits = tensor.defined() && tensor.dim() == static_cast<int64_t>(expected.size());
  for (size_t i = 0; fits && i < expected.size(); ++i)
    fits = expected[i] < 0 || tensor.size(static_cast<int64_t>(i)) == expected[i];
  if (fits) return;
  throw std::invalid_argument("[" + std::string(where) + "] expected " + name + " of shape " +
                              shape_text(expected) + ", got " +
                              (tensor.defined() ? shape_text(tensor.sizes()) : "nothing"));
}

}  // namespace keel
