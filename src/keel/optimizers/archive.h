// One visit saves and loads a trainer's state: each member is named once, and the archive either writes it or
// overwrites it. Tensors go to trainer.safetensors, numbers to trainer.json, exactly.
#pragma once

#include <filesystem>

#include "keel/base/json.h"
#include "keel/tensors/tensor.h"

namespace keel {

class Archive {
 public:
  virtual ~Archive() = default;
  virtual void operator()(const std::string& name, Tensor& value) = 0;
  virtual void operator()(const std::string& name, Json& value) = 0;

  void operator()(const std::string& name, int64_t& value) { number(name, value); }
  void operator()(const std::string& name, double& value) { number(name, value); }

 private:
  template <class T>
  void number(const std::string& name, T& value) {
    Json json = value;
    (*this)(name, json);
    value = json.get<T>();
  }
};

class ArchiveWriter : public Archive {
 public:
  using Archive::operator();
  void operator()(const std::string& name, Tensor& value) override;
  void operator()(const std::string& name, Json& value) override;
  /// Writes trainer.safetensors and trainer.json into a folder.
  void write(const std::filesystem::path& folder) const;

 private:
  std::vector<std::pair<std::string, Tensor>> tensors_;
  Json numbers_ = Json::object();
};

/// Fills what is visited from a folder. Errors: [folder/file] a member that is missing or of another shape.
class ArchiveReader : public Archive {
 public:
  using Archive::operator();
  explicit ArchiveReader(const std::filesystem::path& folder);
  ~ArchiveReader() override;
  void operator()(const std::string& name, Tensor& value) override;
  void operator()(const std::string& name, Json& value) override;

 private:
  struct Files;
  std::unique_ptr<Files> files_;
};

}  // namespace keel
