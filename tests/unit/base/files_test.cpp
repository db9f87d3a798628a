#include "keel/base/files.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "keel/base/error.h"
#include "keel/base/safetensors.h"
#include "test_data.h"

namespace keel {
namespace {

namespace fs = std::filesystem;

TEST(Files, AtomicFileAppearsOnCommitOnly) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "x";
  write_file_atomically(path, "old");
  {
    AtomicFile file(path);
    file.write("new");
    EXPECT_EQ(read_file(path), "old");
  }
  EXPECT_EQ(read_file(path), "old");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
  write_file_atomically(path, "newer");
  EXPECT_EQ(read_file(path), "newer");
}

TEST(Files, AtomicFolderReplacesAWholeFolder) {
  const TemporaryFolder folder;
  const fs::path path = folder.path() / "step-1";
  for (const std::string content : {"a", "b"}) {
    AtomicFolder writing(path);
    write_file_atomically(writing.temporary() / content, content);
    writing.commit();
    EXPECT_EQ(read_file(path / content), content);
  }
  EXPECT_FALSE(fs::exists(path / "a"));
  { AtomicFolder abandoned(path); }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1);
}

TEST(Files, HashesAreSha256) {
  EXPECT_EQ(sha256("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");  // FIPS 180-4 example
}

TEST(Files, MissingFilesAndFoldersAreNamed) {
  EXPECT_THROW(read_file("/nowhere/x"), Error);
  EXPECT_THROW(read_file("/tmp"), Error);
  EXPECT_THROW(AtomicFile("/nowhere/x"), Error);
}

TEST(Errors, NearestNameIsWithinAThird) {
  const std::vector<std::string> names = {"learning_rate", "seed", "steps"};
  EXPECT_EQ(nearest_name("lerning_rate", names), "learning_rate");
  EXPECT_EQ(nearest_name("step", names), "steps");
  EXPECT_EQ(nearest_name("temperature", names), "");
}

// A safetensors file with this header text and this many bytes of data.
fs::path with_header(const fs::path& folder, const std::string& header, size_t data,
                     int64_t length_change = 0) {
  const uint64_t length = header.size() + static_cast<uint64_t>(length_change);
  std::string bytes(sizeof length, '\0');
  std::memcpy(bytes.data(), &length, sizeof length);
  write_file_atomically(folder / "x.safetensors", bytes + header + std::string(data, 'x'));
  return folder / "x.safetensors";
}

TEST(Safetensors, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  const auto bytes = std::as_bytes(std::span(values));
  write_safetensors(folder.path() / "x.safetensors",
                    {{"a", "F32", {2, 2}, bytes.subspan(0, 16)}, {"b", "F32", {2}, bytes.subspan(16)}},
                    {{"k", "v"}});
  const SafetensorsFile file(folder.path() / "x.safetensors");
  ASSERT_EQ(file.tensors().size(), 2u);
  EXPECT_EQ(file.tensors()[0].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(std::memcmp(file.tensors()[1].bytes.data(), values.data() + 4, 8), 0);
  EXPECT_EQ(file.metadata().at("k"), "v");
}

TEST(Safetensors, HostileHeadersAreRefused) {
  const TemporaryFolder folder;
  const std::string good = R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  EXPECT_NO_THROW(SafetensorsFile(with_header(folder.path(), good, 8)));
  EXPECT_THROW(SafetensorsFile(with_header(folder.path(), good, 7)), Error) << "truncated";
  EXPECT_THROW(SafetensorsFile(with_header(folder.path(), good, 8, 1000)), Error) << "header beyond the file";
  EXPECT_THROW(SafetensorsFile(with_header(folder.path(), good, 8, int64_t{1} << 62)), Error)
      << "header length";
  for (
      const char* bad :
      {R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[-8,0]}})",
       R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,8]}})",
       R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
       R"([1,2])", R"({"a":3})", "{"})
    EXPECT_THROW(SafetensorsFile(with_header(folder.path(), bad, 8)), Error) << bad;
  write_file_atomically(folder.path() / "x.safetensors", "abc");
  EXPECT_THROW(SafetensorsFile(folder.path() / "x.safetensors"), Error);
}

}  // namespace
}  // namespace keel
