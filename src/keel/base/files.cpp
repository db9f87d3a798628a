#include "keel/base/files.h"

#include <fcntl.h>
#include <sodium.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "keel/base/error.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail_with_errno(const fs::path& path, std::string_view action) {
  throw Error(path.string(), std::string(action) + ": " + system_message(errno));
}

void write_all(int descriptor, std::string_view bytes, const fs::path& path) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno(path, "cannot write");
    bytes.remove_prefix(static_cast<size_t>(written));
  }
}

void sync_path(const fs::path& path, int flags) {
  const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC);
  if (descriptor < 0) fail_with_errno(path, "cannot open to sync");
  const int result = ::fsync(descriptor);
  ::close(descriptor);
  if (result != 0) fail_with_errno(path, "cannot sync");
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

// Hidden, so that no reader takes it for a result; with the process id, so that two writers do not meet.
fs::path temporary_name(const fs::path& path) {
  return parent_of(path) / ("." + path.filename().string() + ".part-" + std::to_string(::getpid()));
}

// gzread passes plain files through as they are, so one reader serves both.
class GzipReader {
 public:
  explicit GzipReader(const fs::path& path) : path_(path) {
    if (fs::is_directory(path)) throw Error(path.string(), "expected a file, got a folder");
    file_ = ::gzopen(path.c_str(), "rb");
    if (file_ == nullptr) fail_with_errno(path, "cannot read");
  }
  ~GzipReader() { ::gzclose(file_); }
  GzipReader(const GzipReader&) = delete;
  GzipReader& operator=(const GzipReader&) = delete;

  // The number of bytes read; 0 at the end.
  size_t read(std::span<char> buffer) {
    const int got = ::gzread(file_, buffer.data(), static_cast<unsigned>(buffer.size()));
    if (got < 0) throw Error(path_.string(), "expected a readable file, got damaged compressed data");
    int status = Z_OK;
    ::gzerror(file_, &status);
    if (status == Z_BUF_ERROR)  // zlib hands out what there is and only says so here
      throw Error(path_.string(), "expected more bytes, got a truncated compressed file");
    return static_cast<size_t>(got);
  }

 private:
  fs::path path_;
  gzFile file_;
};

std::string to_hex(std::span<const unsigned char> bytes) {
  std::string hex;
  for (const unsigned char byte : bytes) {
    hex += "0123456789abcdef"[byte >> 4];
    hex += "0123456789abcdef"[byte & 15];
  }
  return hex;
}

class Sha256 {
 public:
  Sha256() { crypto_hash_sha256_init(&state_); }
  void update(std::string_view bytes) {
    crypto_hash_sha256_update(&state_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size());
  }
  std::string finish() {
    std::array<unsigned char, crypto_hash_sha256_BYTES> digest;
    crypto_hash_sha256_final(&state_, digest.data());
    return to_hex(digest);
  }

 private:
  crypto_hash_sha256_state state_;
};

}  // namespace

std::string read_file(const fs::path& path) {
  GzipReader reader(path);
  std::string content;
  std::array<char, 1 << 16> buffer;
  while (const size_t got = reader.read(buffer)) content.append(buffer.data(), got);
  return content;
}

void for_each_line(const fs::path& path, const std::function<void(std::string_view, int64_t)>& line) {
  const std::string content = read_file(path);
  std::string_view rest = content;
  for (int64_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view text = rest.substr(0, end);
    if (text.ends_with('\r')) text.remove_suffix(1);
    line(text, number);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
}

void check_writable_file(const fs::path& path) {
  if (fs::is_directory(path))
    throw Error(path.string(), "cannot write: expected a file's name, got a folder");
  if (!fs::is_directory(parent_of(path)))
    throw Error(path.string(), "cannot write: its folder " + parent_of(path).string() + " is not there");
}

void write_file_atomically(const fs::path& path, std::string_view content) {
  AtomicFile file(path);
  file.write(content);
  file.commit();
}

AtomicFile::AtomicFile(fs::path path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
  descriptor_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail_with_errno(path_, "cannot write");
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::string_view bytes) {
  write_all(descriptor_, bytes, path_);
}

void AtomicFile::commit() {
  if (::fsync(descriptor_) != 0) fail_with_errno(path_, "cannot sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with_errno(path_, "cannot rename into place");
  ::close(descriptor_);
  descriptor_ = -1;
  sync_path(parent_of(path_), O_RDONLY | O_DIRECTORY);
}

AtomicFolder::AtomicFolder(fs::path path) : path_(std::move(path)), temporary_(temporary_name(path_)) {
  const std::string leftover = "." + path_.filename().string() + ".part-";
  std::error_code error;
  fs::create_directories(parent_of(path_), error);
  if (error) throw Error(path_.string(), "cannot make its parent folder: " + error.message());
  for (const auto& entry : fs::directory_iterator(parent_of(path_)))
    if (entry.path().filename().string().starts_with(leftover)) fs::remove_all(entry.path());
  if (!fs::create_directory(temporary_, error))
    throw Error(path_.string(), "cannot write: " + error.message());
}

AtomicFolder::~AtomicFolder() {
  std::error_code ignored;
  if (!committed_) fs::remove_all(temporary_, ignored);
}

void AtomicFolder::commit() {
  for (const auto& entry : fs::recursive_directory_iterator(temporary_))
    sync_path(entry.path(), entry.is_directory() ? O_RDONLY | O_DIRECTORY : O_RDONLY);
  sync_path(temporary_, O_RDONLY | O_DIRECTORY);
  // rename() does not replace a full folder; an exchange does, so that at every moment one of the two stands.
  const bool replace = fs::exists(path_);
  if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), replace ? RENAME_EXCHANGE : 0) != 0)
    fail_with_errno(path_, "cannot rename into place");
  committed_ = true;
  sync_path(parent_of(path_), O_RDONLY | O_DIRECTORY);
  if (replace) fs::remove_all(temporary_);
}

AppendFile::AppendFile(fs::path path) : path_(std::move(path)) {
  descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor_ < 0) fail_with_errno(path_, "cannot append");
}

AppendFile::~AppendFile() {
  ::close(descriptor_);
}

void AppendFile::line(std::string_view text) {
  write_all(descriptor_, std::string(text) + "\n", path_);
}

void AppendFile::bytes(std::string_view record) {
  write_all(descriptor_, record, path_);
}

void AppendFile::sync() {
  if (::fsync(descriptor_) != 0) fail_with_errno(path_, "cannot sync");
}

MappedFile::MappedFile(const fs::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) fail_with_errno(path, "cannot read");
  struct stat status {};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    ::close(descriptor);
    throw Error(path.string(), "expected a file, got something else");
  }
  size_ = static_cast<size_t>(status.st_size);
  void* address = size_ == 0 ? nullptr : ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  ::close(descriptor);
  if (address == MAP_FAILED) fail_with_errno(path, "cannot map");
  data_ = static_cast<const std::byte*>(address);
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

std::string sha256(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes);
  return hash.finish();
}

std::string sha256_of_file(const fs::path& path) {
  const MappedFile file(path);
  return sha256({reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()});
}

std::string sha256_of_path(const fs::path& path) {
  if (!fs::is_directory(path)) return sha256_of_file(path);
  std::vector<std::string> entries;
  for (const auto& entry : fs::recursive_directory_iterator(path))
    if (entry.is_regular_file())
      entries.push_back(fs::relative(entry.path(), path).string() + "\t" + sha256_of_file(entry.path()) +
                        "\n");
  std::sort(entries.begin(), entries.end());
  Sha256 hash;
  for (const std::string& entry : entries) hash.update(entry);
  return hash.finish();
}

}  // namespace keel
