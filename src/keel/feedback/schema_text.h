// The text of every migration. SQLite's are written out; PostgreSQL's first one makes the tables as they are
// today, from the same text, with its own names of types and its own triggers.
#pragma once

#include <span>
#include <string>

namespace keel::feedback {

/// The first store: prompts, completions, annotators, judgements, their events by triggers.
extern const char* const kSqliteTables1;
/// No program may change or remove a row.
extern const char* const kSqliteAppendOnly2;
/// Tasks, models, guidelines, redactions, accounts; judgements of every kind; events by the program, which
/// an archive needs to restore when each was.
std::string sqlite_migration_3();

/// Each sets keel_schema.version.
std::span<const std::string> postgres_migrations();

}  // namespace keel::feedback
