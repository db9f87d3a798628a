// The mean of the weights of several models, one model that costs no more to run than each of them.
// Wortsman et al. 2022, "Model soups"; for reward models Ramé et al. 2024, "WARM".
#pragma once

#include <span>

#include "keel/models/model.h"

namespace keel {

/// Every weight, and the scalar head's shift, is the mean of the models'. It means something where they were
/// fine-tuned from the same weights. Config and tokenizer are the first one's. Errors: [folder] a model that
/// differs from the first in family, head or a shape.
Model average_models(std::span<const Model> models);

}  // namespace keel
