#include "keel/optimizers/archive.h"

#include "keel/base/error.h"
#include "keel/base/safetensors.h"

namespace keel {
namespace {

const std::vector<std::pair<at::ScalarType, std::string>> kTypes = {
    {at::kFloat, "F32"}, {at::kDouble, "F64"}, {at::kLong, "I64"}, {at::kBFloat16, "BF16"}};

std::string dtype_of(const Tensor& tensor) {
  for (const auto& [type, name] : kTypes)
    if (type == tensor.scalar_type()) return name;
  throw std::logic_error("archive: a dtype that is not saved");
}

}  // namespace

void ArchiveWriter::operator()(const std::string& name, Tensor& value) {
  tensors_.emplace_back(name, value.detach().to(at::kCPU).contiguous());
}

void ArchiveWriter::operator()(const std::string& name, Json& value) {
  numbers_[name] = value;
}

void ArchiveWriter::write(const std::filesystem::path& folder) const {
  std::vector<TensorBytes> bytes;
  for (const auto& [name, value] : tensors_)
    bytes.push_back({name,
                     dtype_of(value),
                     value.sizes().vec(),
                     {static_cast<const std::byte*>(value.const_data_ptr()), value.nbytes()}});
  write_safetensors(folder / "trainer.safetensors", bytes);
  write_file_atomically(folder / "trainer.json", json_text(numbers_, 2) + "\n");
}

struct ArchiveReader::Files {
  std::string folder;
  SafetensorsFile tensors;
  Json numbers;
};

ArchiveReader::ArchiveReader(const std::filesystem::path& folder)
    : files_(new Files{folder.string(), SafetensorsFile(folder / "trainer.safetensors"),
                       read_json(folder / "trainer.json")}) {}

ArchiveReader::~ArchiveReader() = default;

void ArchiveReader::operator()(const std::string& name, Tensor& value) {
  const std::string where = files_->folder + "/trainer.safetensors: " + name;
  for (const TensorBytes& stored : files_->tensors.tensors()) {
    if (stored.name != name) continue;
    if (stored.shape != value.sizes().vec() || stored.dtype != dtype_of(value))
      throw Error(where, "expected the shape and dtype of this run, got others: was the model exchanged?");
    at::NoGradGuard no_grad;
    value.copy_(at::from_blob(const_cast<std::byte*>(stored.bytes.data()), stored.shape,
                              value.options().device(at::kCPU).requires_grad(false)));
    return;
  }
  throw Error(where, "expected this tensor in the checkpoint, got none");
}

void ArchiveReader::operator()(const std::string& name, Json& value) {
  const auto found = files_->numbers.find(name);
  if (found == files_->numbers.end())
    throw Error(files_->folder + "/trainer.json", "expected \"" + name + "\", got none");
  value = *found;
}

}  // namespace keel
