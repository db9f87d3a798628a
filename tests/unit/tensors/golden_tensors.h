// Tensors of a golden .safetensors file by name.
#pragma once

#include "keel/base/error.h"
#include "keel/base/safetensors.h"
#include "keel/tensors/tensor.h"

namespace keel::testing_reference {

class GoldenTensors {
 public:
  explicit GoldenTensors(const std::filesystem::path& path) : path_(path.string()), file_(path) {}

  bool has(const std::string& name) const { return find(name) != nullptr; }

  Tensor operator[](const std::string& name) const {
    const TensorBytes* found = find(name);
    if (found == nullptr) throw Error(path_, "expected a golden tensor " + name + ", got none");
    static const std::map<std::string, at::ScalarType> types = {{"F64", at::kDouble},
                                                                {"F32", at::kFloat},
                                                                {"I64", at::kLong},
                                                                {"I32", at::kInt},
                                                                {"BOOL", at::kBool}};
    return at::from_blob(const_cast<std::byte*>(found->bytes.data()), found->shape,
                         at::TensorOptions(types.at(found->dtype)))
        .clone();
  }

 private:
  const TensorBytes* find(const std::string& name) const {
    for (const TensorBytes& tensor : file_.tensors())
      if (tensor.name == name) return &tensor;
    return nullptr;
  }

  std::string path_;
  SafetensorsFile file_;
};

inline std::vector<int64_t> ids_of(const Tensor& tensor) {
  const Tensor flat = tensor.to(at::kLong).contiguous();
  return {flat.const_data_ptr<int64_t>(), flat.const_data_ptr<int64_t>() + flat.numel()};
}

}  // namespace keel::testing_reference
