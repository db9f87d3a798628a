// The formats that files come in: how each is recognised, and the function that reads it.
//
// A reader turns one record of a file into rows, or into counted refusals. Formats that are not Keel's own
// are translated into its sets of fields (rows.h) and read as those, so that a row is checked in one place.
//
// format        a record's fields               becomes
// keel          rows.h                          itself
// trl           the same, as trl 0.24 has them  the same; a prompt that is missing ends where TRL ends it
// hh            chosen, rejected: dialogues     a preference (hh.cpp)
// qa_feedback   "prediction 1", ..., preference  a ranking, ratings and an edit (qa_feedback.cpp)
// alpacaeval    responses or candidates         a ranking by an AI (alpacaeval.cpp)
// label_studio  data, annotations               what was annotated (label_studio.cpp)
// argilla       fields, responses, suggestions  what was answered (argilla.cpp)
#pragma once

#include <span>
#include <string>

#include "keel/rows/fields.h"
#include "keel/rows/rows.h"

namespace keel {

/// Where readers leave what they read.
class RowSink {
 public:
  explicit RowSink(std::string path) : file_{.path = std::move(path), .rows = {}, .refused = {}} {}
  const std::string& path() const { return file_.path; }
  void begin_record() { ++file_.records; }
  void take(Row row) { file_.rows.push_back(std::move(row)); }
  void refuse(const std::string& reason) { ++file_.refused[reason]; }
  RowFile result() { return std::move(file_); }

 private:
  RowFile file_;
};

struct Format {
  RowFormat format;
  const char* name;
  const char* fields;                      // what `recognises` looks for, for an error
  bool (*recognises)(const Json& record);  // of an object
  void (*read)(Fields record, RowSink& rows);
};

/// In the order in which they are tried; Keel's own takes what no other one recognises.
std::span<const Format> formats();

void read_keel(Fields record, RowSink& rows);
void read_trl(Fields record, RowSink& rows);
bool is_hh(const Json& record);
void read_hh(Fields record, RowSink& rows);
bool is_qa_feedback(const Json& record);
void read_qa_feedback(Fields record, RowSink& rows);
bool is_alpacaeval(const Json& record);
void read_alpacaeval(Fields record, RowSink& rows);
bool is_label_studio(const Json& record);
void read_label_studio(Fields record, RowSink& rows);
bool is_argilla(const Json& record);
void read_argilla(Fields record, RowSink& rows);

/// 1 + how many scores are higher: equal scores tie.
std::vector<int64_t> ranks_of_scores(const std::vector<double>& scores);

}  // namespace keel
