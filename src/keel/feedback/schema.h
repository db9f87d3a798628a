// The tables of a feedback store and how older files become new ones. A file's version is the number of
// migrations that have been applied to it (PRAGMA user_version); one from a newer Keel is refused.
#pragma once

#include <span>

#include "keel/feedback/sqlite.h"

namespace keel::feedback {

/// The scripts in order; each is applied in a transaction of its own and never changed once released.
std::span<const char* const> migrations();

/// Prepares a connection: write-ahead log, full sync, foreign keys; makes or migrates the tables unless
/// `access` is read. Errors: [path] another program's file, a newer schema, an older one that may only be
/// read, no store where one should be.
void prepare_schema(Database& database, const std::filesystem::path& path, Access access);

}  // namespace keel::feedback
