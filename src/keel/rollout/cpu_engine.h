// The engine without ATen, for one instruction set.
#pragma once

#include "keel/rollout/engine.h"
#include "keel/tensors/decode_kernels.h"

namespace keel {

/// Products in the model's precision; its masters are float32 on the CPU.
std::unique_ptr<Engine> make_cpu_engine(const Model& model, int64_t pages, const DecodeKernels& kernels);

}  // namespace keel
