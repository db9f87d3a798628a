#include "keel/tensors/accelerator.h"

namespace keel {
namespace {

class Called : public Recorded {
 public:
  explicit Called(std::function<void()> work) : work_(std::move(work)) {}
  void run() override { work_(); }

 private:
  std::function<void()> work_;
};

}  // namespace

void synchronize(at::Device device) {
  if (device.is_cuda()) accelerator_wait();
}

std::unique_ptr<Recorded> record(std::function<void()> work, at::Device device) {
  if (device.is_cuda()) return record_graph(std::move(work), device);
  return std::make_unique<Called>(std::move(work));
}

}  // namespace keel
