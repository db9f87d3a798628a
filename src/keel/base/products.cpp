#include "keel/base/products.h"

#include <atomic>

namespace keel {
namespace {
std::atomic<double> counted{0};
}

void count_products(double operations) {
  counted.fetch_add(operations, std::memory_order_relaxed);
}

double products_counted() {
  return counted.load(std::memory_order_relaxed);
}

}  // namespace keel
