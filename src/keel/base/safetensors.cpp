#include "keel/base/safetensors.h"

#include <algorithm>
#include <cstring>

#include "keel/base/error.h"
#include "keel/base/json.h"

namespace keel {
namespace {

constexpr uint64_t kMaxHeader = 100'000'000;  // the limit of the reference implementation

// The number of bytes that `shape` needs; throws where a dimension is negative or the product overflows.
uint64_t bytes_of(const std::vector<int64_t>& shape, size_t element, const std::string& where) {
  uint64_t count = element;
  for (const int64_t dimension : shape) {
    if (dimension < 0)
      throw Error(where, "expected dimensions of at least 0, got " + std::to_string(dimension));
    if (__builtin_mul_overflow(count, static_cast<uint64_t>(dimension), &count))
      throw Error(where, "expected a shape that fits in memory, got one whose size overflows");
  }
  return count;
}

TensorBytes parse_tensor(const std::string& name, const Json& entry, std::span<const std::byte> data,
                         const std::string& path) {
  const std::string where = path + ": " + name;
  TensorBytes tensor;
  tensor.name = name;
  std::vector<uint64_t> offsets;
  try {
    tensor.dtype = entry.at("dtype").get<std::string>();
    for (const Json& dimension : entry.at("shape")) {
      if (!dimension.is_number_integer()) throw Error(where, "expected whole numbers in shape");
      tensor.shape.push_back(dimension.get<int64_t>());
    }
    for (const Json& offset : entry.at("data_offsets")) {
      if (!offset.is_number_unsigned()) throw Error(where, "expected data_offsets of at least 0");
      offsets.push_back(offset.get<uint64_t>());
    }
  } catch (const Json::exception&) {
    throw Error(
        where, "expected dtype, shape and data_offsets in the header, got " + json_text(entry).substr(0, 80));
  }
  const size_t element = dtype_size(tensor.dtype);
  if (element == 0) throw Error(where, "expected a known dtype such as F32 or BF16, got " + tensor.dtype);
  if (offsets.size() != 2 || offsets[0] > offsets[1] || offsets[1] > data.size())
    throw Error(where, "expected data_offsets within the file's " + std::to_string(data.size()) +
                           " bytes of data, got " + json_text(entry["data_offsets"]) +
                           ": the file is truncated or damaged");
  const uint64_t wanted = bytes_of(tensor.shape, element, where);
  if (offsets[1] - offsets[0] != wanted)
    throw Error(where, "expected " + std::to_string(wanted) + " bytes for its shape, got " +
                           std::to_string(offsets[1] - offsets[0]));
  tensor.bytes = data.subspan(offsets[0], wanted);
  return tensor;
}

void check_no_overlap(std::vector<TensorBytes> tensors, const std::string& path) {
  std::sort(tensors.begin(), tensors.end(),
            [](const TensorBytes& a, const TensorBytes& b) { return a.bytes.data() < b.bytes.data(); });
  for (size_t i = 1; i < tensors.size(); ++i)
    if (tensors[i - 1].bytes.data() + tensors[i - 1].bytes.size() > tensors[i].bytes.data())
      throw Error(path, "expected tensors apart, got " + tensors[i].name + " inside " + tensors[i - 1].name);
}

}  // namespace

size_t dtype_size(const std::string& dtype) {
  static const std::map<std::string, size_t> sizes = {{"F64", 8}, {"I64", 8},  {"F32", 4}, {"I32", 4},
                                                      {"F16", 2}, {"BF16", 2}, {"I16", 2}, {"I8", 1},
                                                      {"U8", 1},  {"BOOL", 1}};
  const auto found = sizes.find(dtype);
  return found == sizes.end() ? 0 : found->second;
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  const auto bytes = file_.bytes();
  uint64_t length = 0;
  if (bytes.size() < sizeof length)
    throw Error(path.string(),
                "expected a safetensors file, got only " + std::to_string(bytes.size()) + " bytes");
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kMaxHeader || length > bytes.size() - sizeof length)
    throw Error(path.string(), "expected a safetensors header within the file, got a header length of " +
                                   std::to_string(length) + ": the file is truncated or of another format");
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()) + sizeof length, length);
  const Json header = parse_json(text, path.string());
  if (!header.is_object())
    throw Error(path.string(), "expected a JSON object as header, got " + std::string(header.type_name()));
  const auto data = bytes.subspan(sizeof length + length);
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") {
      tensors_.push_back(parse_tensor(name, entry, data, path.string()));
    } else {
      for (const auto& [key, value] : entry.items())
        metadata_[key] = value.is_string() ? value.get<std::string>() : json_text(value);
    }
  }
  check_no_overlap(tensors_, path.string());
}

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorBytes>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  header["__metadata__"] = {{"format", "pt"}};
  for (const auto& [key, value] : metadata) header["__metadata__"][key] = value;
  uint64_t offset = 0;
  for (const TensorBytes& tensor : tensors) {
    header[tensor.name] = {{"dtype", tensor.dtype},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  AtomicFile file(path);
  file.write({reinterpret_cast<const char*>(&length), sizeof length});
  file.write(text);
  for (const TensorBytes& tensor : tensors)
    file.write({reinterpret_cast<const char*>(tensor.bytes.data()), tensor.bytes.size()});
  file.commit();
}

}  // namespace keel
