// A build without CUDA.
#include <stdexcept>

#include "keel/tensors/accelerator.h"

namespace keel {

bool accelerator_built() {
  return false;
}
int64_t accelerator_count() {
  return 0;
}
std::string accelerator_name() {
  return "";
}
bool accelerator_has_flash() {
  return false;
}
void accelerator_wait() {}

std::unique_ptr<Recorded> record_graph(std::function<void()>, at::Device) {
  throw std::logic_error("accelerator: a graph in a build without CUDA");
}

}  // namespace keel
