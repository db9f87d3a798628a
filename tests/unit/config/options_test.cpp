#include "keel/config/options.h"

#include <gtest/gtest.h>

#include "keel/base/error.h"
#include "keel/base/files.h"
#include "keel/config/yaml_options.h"
#include "test_data.h"

namespace keel {
namespace {

struct Sample : Options {
  int64_t steps = 3;
  double learning_rate = 0.5;
  bool shuffle = true;
  std::string schedule = "cosine", data;
  std::vector<std::string> files;
  std::vector<int64_t> ids;

  void visit(OptionVisitor& v) override {
    v(&steps, "steps", "Steps.", {.lowest = 1, .letter = 'n'});
    v(&learning_rate, "learning_rate", "Rate.", within(0, 1));
    v(&shuffle, "shuffle", "Order.");
    v(&schedule, "schedule", "Kind.", one_of({"cosine", "linear"}));
    v(&data, "data", "Rows.", {.required = true, .positional = true});
    v(&files, "files", "More.");
    v(&ids, "ids", "Numbers.", at_least(0));
  }
};

std::string refusal(const std::vector<std::string>& arguments) {
  Sample options;
  try {
    parse_flags(options, arguments);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(Options, FlagsSetEveryType) {
  Sample options;
  parse_flags(options, {"--data", "x", "-n", "7", "--learning-rate=0.25", "--no-shuffle", "--schedule",
                        "linear", "--files", "a", "b", "--ids", "4", "0"});
  EXPECT_EQ(options.steps, 7);
  EXPECT_EQ(options.learning_rate, 0.25);
  EXPECT_FALSE(options.shuffle);
  EXPECT_EQ(options.schedule, "linear");
  EXPECT_EQ(options.files, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(options.ids, (std::vector<int64_t>{4, 0}));
}

TEST(Options, ABareWordIsThePositionalOption) {
  Sample options;
  parse_flags(options, {"x.yaml", "--steps", "2"});
  EXPECT_EQ(options.data, "x.yaml");
}

TEST(Options, FlagsWinOverYamlWinsOverDefaults) {
  const TemporaryFolder folder;
  write_file_atomically(folder.path() / "o.yaml",
                        "data: y\nsteps: 5\nlearning_rate: 1e-2\nfiles: [p, q]\nids: [7]\n");
  Sample options;
  parse_flags(options, {"--config", (folder.path() / "o.yaml").string(), "--steps", "9"});
  EXPECT_EQ(options.steps, 9);
  EXPECT_EQ(options.learning_rate, 0.01);
  EXPECT_EQ(options.data, "y");
  EXPECT_EQ(options.ids, (std::vector<int64_t>{7}));
  EXPECT_EQ(options.files, (std::vector<std::string>{"p", "q"}));
  EXPECT_EQ(options.schedule, "cosine");
}

TEST(Options, RefusalsNameTheNearestAndWhatIsExpected) {
  EXPECT_NE(refusal({"--data", "x", "--lerning-rate", "1"}).find("did you mean --learning-rate?"),
            std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--steps", "ten"}).find("[--steps] expected a whole number"),
            std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--steps", "0"}).find("at least 1"), std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--learning-rate", "nan"}).find("expected a number"), std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--schedule", "linaer"}).find("did you mean linear?"), std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--ids", "1", "-2"}).find("at least 0"), std::string::npos);
  EXPECT_NE(refusal({"--data", "x", "--ids", "one"}).find("expected whole numbers"), std::string::npos);
  EXPECT_NE(refusal({}).find("[--data] expected a value, got none"), std::string::npos);
  Sample options;
  try {
    apply_yaml(options, YAML::Load("steps: 1\nshufle: false\n"), "r.yaml");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("[r.yaml:2]"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("did you mean shuffle?"), std::string::npos);
  }
  EXPECT_THROW(apply_yaml(options, YAML::Load("steps: {a: 1}"), "r.yaml"), UsageError);
  EXPECT_THROW(apply_yaml(options, YAML::Load("steps: [1, 2]"), "r.yaml"), UsageError);
  apply_yaml(options, YAML::Load("command: sft\nsteps: 7"), "r.yaml", {"command"});
  EXPECT_EQ(options.steps, 7);
}

TEST(Options, ANameGivenTwiceIsABug) {
  struct Twice : Options {
    int64_t a = 0, b = 0;
    void visit(OptionVisitor& v) override {
      v(&a, "a", "");
      v(&b, "a", "");
    }
  } options;
  EXPECT_THROW(fields_of(options), std::logic_error);
}

TEST(Options, JsonHelpAndPageNameEveryField) {
  Sample options;
  const Json json = options_json(options);
  const std::string help = options_help(options), page = options_markdown(options);
  for (const Field& field : fields_of(options)) {
    EXPECT_TRUE(json.contains(field.name));
    EXPECT_NE(help.find(flag_name(field.name)), std::string::npos);
    EXPECT_NE(page.find(flag_name(field.name)), std::string::npos);
  }
}

}  // namespace
}  // namespace keel
