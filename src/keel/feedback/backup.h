// A copy of a store while others write into it.
#pragma once

#include <filesystem>
#include <string>

namespace keel::feedback {

/// Copies a SQLite store as it is at one moment to `to`, which appears whole or not at all, with SQLite's
/// online backup: who judges meanwhile does not wait. Accounts and sessions are in it: keep it as safe as the
/// store. Errors: UsageError for a PostgreSQL store, which has its own (pg_dump); those of opening and
/// writing; [to] a copy that is not sound.
void back_up(const std::string& where, const std::filesystem::path& to);

}  // namespace keel::feedback
