#include "keel/rows/csv.h"

#include <algorithm>

#include "keel/base/error.h"

namespace keel {
namespace {

class CsvParser {
 public:
  CsvParser(std::string_view text, const std::string& where) : rest_(text), where_(where) {}

  std::vector<CsvRecord> parse() {
    std::vector<CsvRecord> records;
    while (!rest_.empty())
      if (!skip_line_end()) records.push_back(record());
    return records;
  }

 private:
  CsvRecord record() {
    CsvRecord result{line_, {cell()}};
    while (rest_.starts_with(',')) {
      rest_.remove_prefix(1);
      result.cells.push_back(cell());
    }
    if (!rest_.empty() && !skip_line_end()) fail("expected a comma or a line end after a quoted cell");
    return result;
  }

  std::string cell() { return rest_.starts_with('"') ? quoted_cell() : bare_cell(); }

  std::string bare_cell() {
    std::string_view cell = rest_.substr(0, std::min(rest_.find_first_of(",\n"), rest_.size()));
    if (cell.ends_with('\r') && rest_.substr(cell.size()).starts_with('\n')) cell.remove_suffix(1);
    if (cell.find('"') != cell.npos) fail("expected the whole cell in quotes, got a quote inside it");
    rest_.remove_prefix(cell.size());
    return std::string(cell);
  }

  std::string quoted_cell() {
    const int64_t opened = line_;
    std::string result;
    for (rest_.remove_prefix(1);; result += '"', rest_.remove_prefix(1)) {  // a doubled quote stands for one
      const size_t quote = rest_.find('"');
      if (quote == rest_.npos) {
        line_ = opened;
        fail("expected a closing quote, got the end of the file");
      }
      line_ += std::count(rest_.begin(), rest_.begin() + static_cast<std::ptrdiff_t>(quote), '\n');
      result += rest_.substr(0, quote);
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) return result;
    }
  }

  bool skip_line_end() {
    const size_t length = rest_.starts_with("\r\n") ? 2 : rest_.starts_with('\n') ? 1 : 0;
    rest_.remove_prefix(length);
    line_ += length != 0;
    return length != 0;
  }

  [[noreturn]] void fail(std::string_view message) const {
    throw Error(where_ + ":" + std::to_string(line_), message);
  }

  std::string_view rest_;
  const std::string& where_;
  int64_t line_ = 1;
};

}  // namespace

std::vector<CsvRecord> parse_csv(std::string_view text, const std::string& where) {
  return CsvParser(text, where).parse();
}

}  // namespace keel
