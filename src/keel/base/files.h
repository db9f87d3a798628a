// Files that appear whole or not at all: written beside their final name, synced, then renamed.
#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keel {

/// The whole file; a name that ends in ".gz" is unpacked. Errors: [path] missing or unreadable.
std::string read_file(const std::filesystem::path& path);

/// Calls `line(text, number)` for each line (numbers from 1, without the line end). ".gz" is unpacked.
void for_each_line(const std::filesystem::path& path,
                   const std::function<void(std::string_view text, int64_t number)>& line);

/// Asked before long work whose result goes to `path`. Errors: [path] a folder, or in none that is there.
void check_writable_file(const std::filesystem::path& path);

/// Writes beside `path`, syncs file and folder, renames. On any error the old file stays as it was.
void write_file_atomically(const std::filesystem::path& path, std::string_view content);

/// A file filled piece by piece under a temporary name; commit() syncs and renames it, destruction without
/// commit() removes it.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::string_view bytes);
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
};

/// A folder filled under a temporary name beside `path`; commit() syncs everything in it and renames it.
/// An existing folder of that name is replaced. What a killed writer left behind is removed by the next one.
class AtomicFolder {
 public:
  explicit AtomicFolder(std::filesystem::path path);
  ~AtomicFolder();
  AtomicFolder(const AtomicFolder&) = delete;
  AtomicFolder& operator=(const AtomicFolder&) = delete;
  /// Where to write before commit().
  const std::filesystem::path& temporary() const { return temporary_; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  bool committed_ = false;
};

/// A file to which whole lines or records are added, each given to the kernel in one write.
class AppendFile {
 public:
  /// Opens `path` (made when missing) for appending.
  explicit AppendFile(std::filesystem::path path);
  ~AppendFile();
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  void line(std::string_view text);
  void bytes(std::string_view record);
  void sync();

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
};

/// A read-only mapping of a whole file.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  std::span<const std::byte> bytes() const { return {data_, size_}; }

 private:
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

/// Lower-case hexadecimal SHA-256 of a byte string, and of a file's content.
std::string sha256(std::string_view bytes);
std::string sha256_of_file(const std::filesystem::path& path);

/// The SHA-256 of a file, or of a folder: the hash over its files' sorted relative names and hashes.
std::string sha256_of_path(const std::filesystem::path& path);

}  // namespace keel
