// The real files of judgements, against Python, TRL and scipy (tests/golden/rows/make_values.py).
#include <chrono>
#include <cmath>

#include "keel/base/files.h"
#include "keel/rows/export.h"
#include "reading.h"
#include "test_data.h"

namespace keel {
namespace {

std::string joined(const std::vector<std::string>& parts, const char* between) {
  std::string text;
  for (size_t i = 0; i < parts.size(); ++i) text += (i == 0 ? "" : between) + parts[i];
  return text;
}

// The text that the generator hashes for a row.
std::string text_of(const Row& row, bool with_line) {
  std::vector<std::string> parts = {row_kind_name(row.kind), std::to_string(with_line ? row.line : 0),
                                    row.prompt.text};
  for (const Passage& passage : row.completions) parts.push_back(passage.text);
  std::vector<std::string> ranks, ratings;
  for (const int64_t rank : row.ranks) ranks.push_back(std::to_string(rank));
  for (const Rating& rating : row.ratings)
    ratings.push_back(rating.dimension + "=" + std::to_string(std::llround(rating.value * 1e9)));
  parts.push_back(joined(ranks, ","));
  parts.push_back(row.label ? *row.label ? "yes" : "no" : "");
  parts.push_back(joined(ratings, ","));
  return joined(parts, "\x1f");
}

void expect_golden(const RowFile& file, const Json& values, bool with_line) {
  std::map<std::string, int64_t> kinds;
  std::vector<std::string> rows;
  for (const Row& row : file.rows) {
    ++kinds[row_kind_name(row.kind)];
    rows.push_back(text_of(row, with_line));
  }
  EXPECT_EQ(file.records, values["records"]);
  EXPECT_EQ(kinds, (values["kinds"].get<std::map<std::string, int64_t>>()));
  EXPECT_EQ(file.refused, (values["refused"].get<Refused>()));
  for (const auto& [place, hash] : values["rows"].items())
    EXPECT_EQ(sha256(rows.at(std::stoul(place))), hash) << "row " << place;
  EXPECT_EQ(sha256(joined(rows, "\x1e")), values["sha256"]);
}

class GoldenRows : public testing::Test {
 protected:
  void expect(const char* file, const char* name, RowFormat named) {
    const auto path = real_data(file);
    KEEL_NEED_REAL_DATA(path);
    const bool lines = path.string().find(".jsonl") != std::string::npos;
    for (const RowFormat format : {RowFormat::automatic, named})
      if (format != RowFormat::automatic || named != RowFormat::trl)
        expect_golden(read_rows(path, format), values_[name], lines);
  }
  const Json values_ = read_json("tests/golden/rows/values.json");
};

TEST_F(GoldenRows, Hh) {
  expect("hh-rlhf/harmless-base-test.jsonl.gz", "hh", RowFormat::hh);
}

TEST_F(GoldenRows, HhAsTrlCutsIt) {
  expect("hh-rlhf/harmless-base-test.jsonl.gz", "hh_as_trl", RowFormat::trl);
}

TEST_F(GoldenRows, QaFeedback) {
  expect("qa-feedback/dev_feedback.json.gz", "qa_feedback", RowFormat::qa_feedback);
}

TEST_F(GoldenRows, Alpacaeval) {
  expect("alpacaeval-kway/tulu2-dpo-13b-best-of-16.jsonl.gz", "alpacaeval_responses", RowFormat::alpacaeval);
  expect("alpacaeval-kway/twelve-models-vs-davinci003.jsonl.gz", "alpacaeval_candidates",
         RowFormat::alpacaeval);
}

TEST_F(GoldenRows, Kto) {
  expect("llama-factory-demo/kto_en_demo.json.gz", "kto", RowFormat::keel);
}

TEST_F(GoldenRows, TuluAndItsExport) {
  const char* name = "tulu3-preference-sample/preference_sample.jsonl.gz";
  expect(name, "tulu", RowFormat::keel);
  const auto path = real_data(name);
  KEEL_NEED_REAL_DATA(path);
  const RowFile file = read_rows(path, RowFormat::trl);
  expect_golden(file, values_["tulu"], true);
  const TemporaryFolder folder;
  write_rows(file.rows, RowFormat::trl, folder / "out.jsonl");
  EXPECT_EQ(sha256_of_file(folder / "out.jsonl"), values_["tulu"]["exported_sha256"]);
}

// Seconds decide nothing on a shared machine; ten times what it takes would be a fault.
TEST_F(GoldenRows, HhIsReadInWellUnderASecond) {
  const auto path = real_data("hh-rlhf/harmless-base-test.jsonl.gz");
  KEEL_NEED_REAL_DATA(path);
  const auto began = std::chrono::steady_clock::now();
  read_rows(path);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
  RecordProperty("seconds", std::to_string(took.count()));
  EXPECT_LT(took.count(), 1.0);
}

}  // namespace
}  // namespace keel
