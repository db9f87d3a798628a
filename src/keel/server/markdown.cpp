#include "keel/server/markdown.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm-extension_api.h>
#include <cmark-gfm.h>

#include <memory>
#include <mutex>
#include <vector>

namespace keel {
namespace {

constexpr int kOptions = CMARK_OPT_VALIDATE_UTF8 | CMARK_OPT_HARDBREAKS;

using Node = std::unique_ptr<cmark_node, void (*)(cmark_node*)>;

std::string literal_of(cmark_node* node) {
  const char* text = cmark_node_get_literal(node);
  return text == nullptr ? "" : text;
}

void insert_text(cmark_node* before, const std::string& text) {
  cmark_node* node = cmark_node_new(CMARK_NODE_TEXT);
  cmark_node_set_literal(node, text.c_str());
  cmark_node_insert_before(before, node);
}

void remove(cmark_node* node) {
  cmark_node_unlink(node);
  cmark_node_free(node);
}

std::string words_of(cmark_node* parent) {
  std::string text;
  for (cmark_node* child = cmark_node_first_child(parent); child != nullptr; child = cmark_node_next(child))
    text += literal_of(child);
  return text;
}

// [words](address "title") → words (address); ![words](address) → [image: words] (address)
void show_address(cmark_node* node) {
  const bool image = cmark_node_get_type(node) == CMARK_NODE_IMAGE;
  const std::string address = cmark_node_get_url(node), words = words_of(node);
  if (image) insert_text(node, "[image: ");
  while (cmark_node* child = cmark_node_first_child(node)) cmark_node_insert_before(node, child);
  if (image) insert_text(node, "]");
  if (!address.empty() && address != words && address != "mailto:" + words)
    insert_text(node, " (" + address + ")");
  remove(node);
}

// A block of raw HTML becomes a paragraph of its lines.
void show_html_block(cmark_node* node) {
  cmark_node* paragraph = cmark_node_new(CMARK_NODE_PARAGRAPH);
  cmark_node_insert_before(node, paragraph);
  std::string text = literal_of(node);
  while (!text.empty() && text.back() == '\n') text.pop_back();
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    cmark_node* line = cmark_node_new(CMARK_NODE_TEXT);
    cmark_node_set_literal(line, text.substr(begin, end - begin).c_str());
    cmark_node_append_child(paragraph, line);
    if (end < text.size()) cmark_node_append_child(paragraph, cmark_node_new(CMARK_NODE_LINEBREAK));
    begin = end + 1;
  }
  remove(node);
}

void disarm(cmark_node* root) {
  std::vector<cmark_node*> found;  // inner ones first
  const std::unique_ptr<cmark_iter, void (*)(cmark_iter*)> iter(cmark_iter_new(root), &cmark_iter_free);
  for (cmark_event_type event = cmark_iter_next(iter.get()); event != CMARK_EVENT_DONE;
       event = cmark_iter_next(iter.get())) {
    cmark_node* node = cmark_iter_get_node(iter.get());
    const cmark_node_type type = cmark_node_get_type(node);
    const bool leaves = event == CMARK_EVENT_EXIT && (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE);
    if (leaves || type == CMARK_NODE_HTML_BLOCK || type == CMARK_NODE_HTML_INLINE) found.push_back(node);
  }
  for (cmark_node* node : found) {
    const cmark_node_type type = cmark_node_get_type(node);
    if (type == CMARK_NODE_HTML_BLOCK) {
      show_html_block(node);
    } else if (type == CMARK_NODE_HTML_INLINE) {
      insert_text(node, literal_of(node));
      remove(node);
    } else {
      show_address(node);
    }
  }
}

}  // namespace

std::string markdown_html(std::string_view text) {
  if (text.size() > kLongestMarkdown) return "";
  static std::once_flag registered;
  std::call_once(registered, &cmark_gfm_core_extensions_ensure_registered);
  const std::unique_ptr<cmark_parser, void (*)(cmark_parser*)> parser(cmark_parser_new(kOptions),
                                                                      &cmark_parser_free);
  for (const char* name : {"table", "strikethrough"})
    cmark_parser_attach_syntax_extension(parser.get(), cmark_find_syntax_extension(name));
  cmark_parser_feed(parser.get(), text.data(), text.size());
  const Node root(cmark_parser_finish(parser.get()), &cmark_node_free);
  disarm(root.get());
  const std::unique_ptr<char, void (*)(void*)> html(
      cmark_render_html(root.get(), kOptions, cmark_parser_get_syntax_extensions(parser.get())), &std::free);
  return html.get();
}

}  // namespace keel
