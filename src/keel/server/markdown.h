// Markdown as HTML that can do nothing: what a model wrote is read, never run.
//
// cmark-gfm parses it (CommonMark with GitHub's tables and strikethrough) and writes it in its safe mode.
// Before that the tree loses all that could load or run: raw HTML is shown as the text it is, a link as its
// words with its address behind them, an image as its description and address. So the result holds no address
// in any attribute, and these elements alone: p h1 h2 h3 h4 h5 h6 blockquote pre code ul ol li hr br em
// strong del table thead tbody tr th td. Their attributes: start (ol), align (th, td), class (code: its
// language).
#pragma once

#include <string>
#include <string_view>

namespace keel {

/// Longer texts are shown as they are: "" for them. Bytes; some texts take the parser time that grows with
/// the square of their length, a quarter of a second for this one.
inline constexpr size_t kLongestMarkdown = 1 << 15;

/// A line end stays one, as annotators should see it. What is not UTF-8 becomes U+FFFD.
std::string markdown_html(std::string_view text);

}  // namespace keel
