// Tasks taken by threads as they become free: on cores that others use, a fixed share would make all wait for
// the thread that was held up.
#pragma once

#include <atomic>
#include <cstdint>

#include "keel/tensors/tensor.h"

namespace keel {

/// Calls work(task) once for each of `count` tasks, on ATen's threads; returns when all are done. What a task
/// computes may not depend on the thread that takes it.
template <class Work>
void for_each_task(int64_t count, const Work& work) {
  std::atomic<int64_t> next = 0;
  at::parallel_for(0, std::min<int64_t>(count, at::get_num_threads()), 1, [&](int64_t, int64_t) {
    for (int64_t task = next.fetch_add(1, std::memory_order_relaxed); task < count;
         task = next.fetch_add(1, std::memory_order_relaxed))
      work(task);
  });
}

}  // namespace keel
