// Conversations as lists of messages, and the plain text that stands for them.
#pragma once

#include <string>
#include <vector>

#include "keel/rows/fields.h"
#include "keel/rows/rows.h"

namespace keel {

/// Whether a value is meant as a conversation: a list that begins with an object.
bool is_conversation(const Json& value);

/// Errors: [file:line] an unknown role, no text as content, a field beside role and content that is not null.
/// `name` is what an error calls the list.
std::vector<Message> messages_of(const Json& list, const std::string& name, const Fields& fields);

Json messages_json(const std::vector<Message>& messages);

/// Gives the row's messages their plain text (rows.h). The header "\n\nAssistant:" stands at the end of the
/// prompt when every completion begins with an assistant's message, or when there is none yet; otherwise each
/// completion begins with its own.
void render_messages(Row& row);

}  // namespace keel
