// The tables of a feedback store and how older ones become new ones. A store's version is the number of
// migrations that have been applied to it; one from a newer Keel is refused.
//
//   events         one for every row that is added, in the order of commits; a training stage pins its id
//   prompts, models, completions, annotators, guidelines
//   tasks          what is asked about a prompt, of which of its completions, how many times
//   judgements     what annotators answered; judged: the completions of each, with their ranks
//   redactions     texts that were taken out on request: the one change that rows allow
//   queue, leases  which tasks still want answers, in which order, and who is at work on them
//   returns        judgements that their annotators are asked to look at again
//   accounts, invites, sessions   who may log in
//
// The last six are state, not record: they change, have no events, and an archive leaves them out.
#pragma once

#include <span>
#include <string>

#include "keel/feedback/postgres.h"
#include "keel/feedback/sqlite.h"

namespace keel::feedback {

/// SQLite's scripts in order; each is applied in a transaction of its own and never changed once released.
std::span<const std::string> sqlite_migrations();

/// Prepares a connection: write-ahead log, full sync, foreign keys; makes or migrates the tables unless
/// `access` is read. Errors: [path] another program's file, a newer schema, an older one that may only be
/// read, no store where one should be.
void prepare_schema(SqliteDatabase& database, const std::filesystem::path& path, Access access);

/// The same for a PostgreSQL database. Errors: as above; a database that holds tables of others is used all
/// the same, as long as no name meets.
void prepare_schema(PostgresDatabase& database, Access access);

}  // namespace keel::feedback
