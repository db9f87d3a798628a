// The safetensors format as bytes: eight bytes of header length, a JSON header, then the tensors.
// Format: huggingface/safetensors README, "Format". A hostile file is refused before any of its bytes is
// used: every offset is checked against the shape, the neighbours and the file's length.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "keel/base/files.h"

namespace keel {

struct TensorBytes {
  std::string name;
  std::string dtype;  // "F64" "F32" "F16" "BF16" "I64" "I32" "I16" "I8" "U8" "BOOL"
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/// Bytes of one element of a safetensors dtype; 0 for one that Keel does not know.
size_t dtype_size(const std::string& dtype);

/// A memory-mapped file. The spans live as long as the object.
class SafetensorsFile {
 public:
  /// Errors: [path] truncated, header too long or no JSON, a tensor outside the file or of the wrong size.
  explicit SafetensorsFile(const std::filesystem::path& path);
  const std::vector<TensorBytes>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }

 private:
  MappedFile file_;
  std::vector<TensorBytes> tensors_;
  std::map<std::string, std::string> metadata_;
};

/// Writes atomically; tensors in the order given, the data aligned to eight bytes. Metadata gets "format":
/// "pt", which transformers asks for.
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace keel
