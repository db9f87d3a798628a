// What an MLP applies between its projections.
#pragma once

namespace keel {

enum class Activation { silu, gelu, gelu_tanh, relu };

}  // namespace keel
