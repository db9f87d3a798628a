#include "keel/data/judgements.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/data/value_scale.h"

namespace keel {
namespace {

Row row_of(RowKind kind, size_t completions, Json extra) {
  Row row{.kind = kind};
  row.completions.resize(completions);
  row.extra = std::move(extra);
  return row;
}

TEST(Judgements, AreTheRowsOwnAndReadFromTheFieldsBesideTheTexts) {
  Row row = row_of(RowKind::ranking, 3, {{"scores", {1, 2.5, -3}}, {"annotator", "ada"}});
  row.weight = 0.25;
  const Judgement ranking = judgement_of(row, "here");
  EXPECT_EQ(ranking.weight, 0.25);
  EXPECT_EQ(ranking.scores, (std::vector<double>{1, 2.5, -3}));
  EXPECT_EQ(ranking.annotator, "ada");
  row = row_of(RowKind::rating, 1, {{"score", 0.5}, {"annotator", 7}});
  row.ratings = {{"helpful", 4}};
  const Judgement rated = judgement_of(row, "here");
  EXPECT_EQ(rated.weight, 1);
  EXPECT_EQ(rated.values, (std::map<std::string, double>{{"helpful", 4}, {kScoreDimension, 0.5}}));
  EXPECT_EQ(rated.annotator, "7");
}

TEST(Judgements, AreReadFromCellsOfText) {
  const Judgement judgement =
      judgement_of(row_of(RowKind::preference, 2, {{"scores", "[4, 2]"}, {"annotator", "eve"}}), "here");
  EXPECT_EQ(judgement.scores, (std::vector<double>{4, 2}));
  EXPECT_EQ(judgement.annotator, "eve");
  EXPECT_EQ(
      judgement_of(row_of(RowKind::completion, 1, {{"score", "0.5"}}), "here").values.at(kScoreDimension),
      0.5);
  EXPECT_TRUE(judgement_of(row_of(RowKind::completion, 1, {{"score", ""}}), "here").values.empty());
}

TEST(Judgements, ScoresThatAreNotAllKnownSayNothing) {
  EXPECT_TRUE(
      judgement_of(row_of(RowKind::preference, 2, {{"scores", {1, nullptr}}}), "here").scores.empty());
}

TEST(Judgements, WhatCannotBeMeantIsRefusedWithItsPlace) {
  const auto message = [](RowKind kind, Json extra) -> std::string {
    try {
      judgement_of(row_of(kind, 2, std::move(extra)), "rows.jsonl:3");
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  };
  for (const auto& [extra, name] :
       std::vector<std::pair<Json, std::string>>{{{{"scores", {1}}}, "2 completions"},
                                                 {{{"scores", 3}}, "2 completions"},
                                                 {{{"scores", {1, "two"}}}, "scores"}}) {
    const std::string said = message(RowKind::preference, extra);
    EXPECT_NE(said.find("rows.jsonl:3"), said.npos) << extra;
    EXPECT_NE(said.find(name), said.npos) << extra << said;
  }
  EXPECT_NE(message(RowKind::completion, {{"score", "high"}}), "");
}

Example valued(const std::string& annotator, double value) {
  Example example;
  example.judgement.annotator = annotator;
  example.judgement.values["helpful"] = value;
  return example;
}

std::vector<double> values_of(const std::vector<Example>& examples) {
  std::vector<double> values;
  for (const Example& example : examples) values.push_back(example.judgement.values.at("helpful"));
  return values;
}

// 2, 4, 4, 4, 5, 5, 7, 9 have the mean 5 and the deviation 2.
TEST(ValueScale, MakesMeanZeroAndDeviationOne) {
  std::vector<Example> training, held_out = {valued("", 9)};
  for (const double value : {2, 4, 4, 4, 5, 5, 7, 9})
    training.push_back(valued(value > 4 ? "ada" : "bob", value));
  ValueScale scale(Standardise::all);
  scale.standardise(training);
  EXPECT_EQ(values_of(training), (std::vector<double>{-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2}));
  scale.standardise(held_out);
  EXPECT_EQ(values_of(held_out), (std::vector<double>{2}));
}

TEST(ValueScale, OfEachAnnotator) {
  std::vector<Example> training = {valued("ada", 1), valued("bob", 6), valued("ada", 3), valued("bob", 7),
                                   valued("eve", 5)};
  ValueScale scale(Standardise::annotator);
  scale.standardise(training);
  EXPECT_EQ(values_of(training), (std::vector<double>{-1, -1, 1, 1, 0}));
  std::vector<Example> held_out = {valued("ada", 4), valued("new", 10), valued("new", 20)};
  scale.standardise(held_out);
  EXPECT_EQ(values_of(held_out), (std::vector<double>{2, -1, 1}));
}

TEST(ValueScale, NoneChangesNothing) {
  std::vector<Example> examples = {valued("", 3), valued("", 8)};
  ValueScale(Standardise::none).standardise(examples);
  EXPECT_EQ(values_of(examples), (std::vector<double>{3, 8}));
}

}  // namespace
}  // namespace keel
