// The checksum and the layout; TensorBoard itself reads the files in tests/cli/test_tensorboard.py.
#include "keel/runs/tensorboard.h"

#include <gtest/gtest.h>

namespace keel {
namespace {

TEST(TensorBoard, ChecksumsAreThoseOfTheStandard) {  // RFC 3720, appendix B.4
  EXPECT_EQ(crc32c("123456789"), 0xE3069283U);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAU);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43U);
}

TEST(TensorBoard, ARecordHoldsItsLengthAndEveryNumber) {
  const Json row = {{"step", 300}, {"loss", 0.5}, {"note", "text"}, {"gone", nullptr}, {"tokens", 7}};
  const std::string record = event_record(row, 2.0);
  uint64_t length = 0;
  for (int i = 7; i >= 0; --i)
    length = length << 8 | static_cast<unsigned char>(record[static_cast<size_t>(i)]);
  EXPECT_EQ(record.size(), length + 16);
  EXPECT_NE(record.find("\x10\xAC\x02"), std::string::npos);                              // step 300
  EXPECT_NE(record.find(std::string("loss\x15\x00\x00\x00\x3F", 9)), std::string::npos);  // 0.5
  EXPECT_NE(record.find("tokens"), std::string::npos);
  EXPECT_EQ(record.find("note"), std::string::npos);
  EXPECT_EQ(record.find("gone"), std::string::npos);
}

}  // namespace
}  // namespace keel
