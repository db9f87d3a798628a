#include "keel/rows/export.h"

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "reading.h"
#include "test_data.h"

namespace keel {
namespace {

class Export : public RowReading {
 protected:
  std::string written(const RowFile& file, RowFormat format) {
    write_rows(file.rows, format, folder_ / "out.jsonl");
    return read_file(folder_ / "out.jsonl");
  }
  // What a file becomes, after checking that it stays so.
  std::string round(const std::string& content, RowFormat format) {
    const std::string first = written(read(content), format);
    EXPECT_EQ(written(read(first, format), format), first);
    return first;
  }
};

TEST_F(Export, EveryKindKeepsItsFields) {
  const char* rows[] = {
      R"({"text":"t","note":"n"})",
      R"({"input_ids":[1,2]})",
      R"({"prompt":"p","label":"safe"})",
      R"({"prompt":"p","prompt_ids":[3],"completion":"c","weight":0.5,"source":"s"})",
      R"({"prompt":"p","completions":["a","b","c"],"ranks":[1,2,2],"annotator":"u","kind":"human"})",
      R"({"completions":["a","b"],"ranks":[1,1]})",
      R"({"prompt":"p","completions":["a",null],"completions_ids":[null,[7]],"ranks":[1,2]})",
      R"({"prompt":"p","completion":"c","label":true})",
      R"({"text":"t","label":false,"weight":0.0})",
      R"({"prompt":"p","completion":"c","ratings":{"helpful":4.0,"honest":2.5},"scale":[1.0,5.0]})",
      R"({"prompt":[{"role":"user","content":"hi"}],"completion":[{"role":"assistant","content":"ho"}],"label":true})",
      R"({"messages":[{"role":"assistant","content":"ho"}],"ratings":{"kind":3.0}})",
      R"({"prompt":"p","completion":" c","tokens":[5,2],"finish_reason":"stop"})",
      R"({"prompt_ids":[1],"tokens":[5,2],"finish_reason":"stop"})",
  };
  for (const char* row : rows) {
    EXPECT_EQ(round(row, RowFormat::keel), std::string(row) + "\n");
    EXPECT_EQ(json_text(k_wise_json(only_row(row))), row);
  }
  EXPECT_EQ(round(R"({"prompt":"p","chosen":"a","rejected":"b","x":"y"})", RowFormat::keel),
            "{\"prompt\":\"p\",\"completions\":[\"a\",\"b\"],\"ranks\":[1,2],\"x\":\"y\"}\n");
}

TEST_F(Export, TrlGetsEveryStrictPair) {
  const std::string pairs = round(R"({"prompt":"p","completions":["a","b","c"],"ranks":[2,1,2],"weight":0.5,)"
                                  R"("models":["m","n","o"],"scores":[1,2,1],"key":"k"})",
                                  RowFormat::trl);
  EXPECT_EQ(
      pairs,
      R"({"prompt":"p","chosen":"b","rejected":"a","weight":0.5,"models":["n","m"],"scores":[2,1],"key":"k:1-0"})"
      "\n"
      R"({"prompt":"p","chosen":"b","rejected":"c","weight":0.5,"models":["n","o"],"scores":[2,1],"key":"k:1-2"})"
      "\n");
  EXPECT_EQ(round(R"({"prompt":"p","completions":["a","a","b"],"ranks":[1,2,2],"models":["m",7,null]})",
                  RowFormat::trl),
            "{\"prompt\":\"p\",\"chosen\":\"a\",\"rejected\":\"b\",\"models\":[\"m\",null]}\n");
  EXPECT_EQ(round(R"({"prompt":"p","completions":["a","b"],"ranks":[2,1],"key":"k"})", RowFormat::trl),
            "{\"prompt\":\"p\",\"chosen\":\"b\",\"rejected\":\"a\",\"key\":\"k\"}\n");
}

TEST_F(Export, TrlsPromptIsExplicit) {
  EXPECT_EQ(round(R"({"chosen":"Why? Hello","rejected":"Why? Help"})", RowFormat::trl),
            "{\"prompt\":\"Why?\",\"chosen\":\" Hello\",\"rejected\":\" Help\"}\n");
  EXPECT_EQ(round(R"({"chosen":"Hello","rejected":"Help"})", RowFormat::trl),  // no prompt stays none
            "{\"prompt\":\"\",\"chosen\":\"Hello\",\"rejected\":\"Help\"}\n");
  const std::string hi = R"({"role":"user","content":"hi"})", ho = R"({"role":"assistant","content":"ho"})",
                    hu = R"({"role":"assistant","content":"hu"})";
  EXPECT_EQ(
      round(R"({"chosen":[)" + hi + "," + ho + R"(],"rejected":[)" + hi + "," + hu + "]}", RowFormat::trl),
      R"({"prompt":[)" + hi + R"(],"chosen":[)" + ho + R"(],"rejected":[)" + hu + "]}\n");
  EXPECT_EQ(round(R"({"chosen":[)" + ho + R"(],"rejected":[)" + hu + "]}", RowFormat::trl),
            R"({"chosen":[)" + ho + R"(],"rejected":[)" + hu + "]}\n");
}

TEST_F(Export, WhatTrlCannotSayIsCounted) {
  const RowFile file = read(R"({"prompt":"p","completion":"c","label":true}
{"prompt":"p","completions":["a","b"],"ranks":[1,1]}
{"prompt":"p","completions_ids":[[1],[2]],"ranks":[1,2]}
{"prompt_ids":[1],"chosen":"a","rejected":"b"}
{"prompt":"p","chosen":"a","rejected":"b"})");
  const RowsWritten result = write_rows(file.rows, RowFormat::trl, folder_ / "out.jsonl");
  EXPECT_EQ(result.lines, 1);
  EXPECT_EQ(result.left_out,
            (Refused{{"no comparison", 1}, {"ties alone", 1}, {"token ids without their texts", 2}}));
  EXPECT_THROW(write_rows(file.rows, RowFormat::hh, folder_ / "out.jsonl"), UsageError);
}

TEST_F(Export, ExtraFieldsNeverReplaceARowsOwn) {
  EXPECT_EQ(round(R"({"prompt":"p","chosen":"a","rejected":"b","completions":7})", RowFormat::keel),
            "{\"prompt\":\"p\",\"completions\":[\"a\",\"b\"],\"ranks\":[1,2]}\n");
}

TEST_F(Export, RealFilesStayAsTheyAre) {
  for (const char* name : {"hh-rlhf/harmless-base-test.jsonl.gz", "qa-feedback/dev_feedback.json.gz",
                           "alpacaeval-kway/twelve-models-vs-davinci003.jsonl.gz",
                           "tulu3-preference-sample/preference_sample.jsonl.gz"}) {
    const auto path = real_data(name);
    KEEL_NEED_REAL_DATA(path);
    RowFile file = read_rows(path);
    file.rows.resize(std::min<size_t>(file.rows.size(), 120));
    for (const RowFormat format : {RowFormat::keel, RowFormat::trl}) {
      const std::string first = written(file, format);
      const RowFile again = read(first, format);
      EXPECT_TRUE(again.refused.empty()) << name;
      EXPECT_EQ(sha256(written(again, format)), sha256(first)) << name;
    }
  }
}

}  // namespace
}  // namespace keel
