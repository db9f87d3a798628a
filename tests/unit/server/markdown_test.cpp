#include "keel/server/markdown.h"

#include <gtest/gtest.h>

#include <chrono>
#include <regex>
#include <set>

namespace keel {
namespace {

TEST(Markdown, IsCommonMarkWithTablesAndLineEnds) {
  EXPECT_EQ(markdown_html("Dear *you*,\nall **is** ~~bad~~ `fine`."),
            "<p>Dear <em>you</em>,<br />\nall <strong>is</strong> <del>bad</del> <code>fine</code>.</p>\n");
  EXPECT_EQ(markdown_html("3. c\n4. d"), "<ol start=\"3\">\n<li>c</li>\n<li>d</li>\n</ol>\n");
  EXPECT_EQ(markdown_html("```py\nif a < b:\n    print(\"&\")\n```"),
            "<pre><code class=\"language-py\">if a &lt; b:\n    print(&quot;&amp;&quot;)\n</code></pre>\n");
  EXPECT_NE(markdown_html("| a | b |\n|--:|---|\n| 1 | 2 |").find("<td align=\"right\">1</td>"),
            std::string::npos);
  EXPECT_EQ(markdown_html(""), "");
}

TEST(Markdown, RawHtmlIsShownAsText) {
  EXPECT_EQ(markdown_html("a <b onclick=x>b</b>"), "<p>a &lt;b onclick=x&gt;b&lt;/b&gt;</p>\n");
  EXPECT_EQ(markdown_html("<script>\nalert(1)\n</script>"),
            "<p>&lt;script&gt;<br />\nalert(1)<br />\n&lt;/script&gt;</p>\n");
  EXPECT_EQ(markdown_html("- <div>\n  x"), "<ul>\n<li>&lt;div&gt;<br />\nx</li>\n</ul>\n");
}

TEST(Markdown, LinksAndImagesAreWordsWithTheirAddress) {
  EXPECT_EQ(markdown_html("[a *b*](http://c.example \"t\")"), "<p>a <em>b</em> (http://c.example)</p>\n");
  EXPECT_EQ(markdown_html("<http://c.example>"), "<p>http://c.example</p>\n");
  EXPECT_EQ(markdown_html("<a@c.example>"), "<p>a@c.example</p>\n");
  EXPECT_EQ(markdown_html("![a](http://c.example/i.png)"), "<p>[image: a] (http://c.example/i.png)</p>\n");
  EXPECT_EQ(markdown_html("[![a](i)](javascript:alert(1))"), "<p>[image: a] (i) (javascript:alert(1))</p>\n");
  EXPECT_EQ(markdown_html("[a]\n\n[a]: data:text/html,x"), "<p>a (data:text/html,x)</p>\n");
}

// What is in angle brackets is one of the elements that markdown.h names, with no other attributes.
void expect_harmless(const std::string& text) {
  static const std::set<std::string> kElements = {
      "p",  "h1", "h2", "h3", "h4",     "h5",  "h6",    "blockquote", "pre",   "code", "ul", "ol",
      "li", "hr", "br", "em", "strong", "del", "table", "thead",      "tbody", "tr",   "th", "td"};
  static const std::regex kTag("</?([a-z0-9]+)((?: [a-z]+=\"[^\"<>]*\")*) ?/?>");
  static const std::regex kAttributes("(?: start=\"[0-9]+\"| align=\"[a-z]+\"| class=\"language-[^\"]*\")*");
  std::string html = markdown_html(text);
  for (std::smatch tag; std::regex_search(html, tag, kTag); html = tag.suffix()) {
    EXPECT_EQ(tag.prefix().str().find_first_of("<>"), std::string::npos) << text << "\n" << html;
    EXPECT_TRUE(kElements.contains(tag[1])) << tag[0] << " of " << text;
    EXPECT_TRUE(std::regex_match(tag[2].str(), kAttributes)) << tag[0] << " of " << text;
  }
  EXPECT_EQ(html.find_first_of("<>"), std::string::npos) << html;
}

TEST(Markdown, NothingThatRunsOrLoadsComesThrough) {
  for (const char* text : {"<img src=x onerror=alert(1)>",
                           "<svg/onload=alert(1)>",
                           "<iframe srcdoc='<script>1</script>'></iframe>",
                           "[x](javascript:alert(1))",
                           "[x](  java\nscript:alert(1))",
                           "[x](JaVaScRiPt:alert(1))",
                           "[x](data:text/html;base64,PHNjcmlwdD4=)",
                           "![x](https://c.example/beacon.png)",
                           "<style>*{display:none}</style>",
                           "<base href=//c.example>",
                           "<meta http-equiv=refresh content=0>",
                           "<form action=//c.example><button>",
                           "``` \" onload=\"x\na\n```",
                           "```x\"onload=\"y\na\n```",
                           "[a\" onx=\"](b\" onx=\")",
                           "<!--><script>1</script>-->",
                           "<![CDATA[<script>1</script>]]>",
                           "<?php <script> ?>",
                           "<!DOCTYPE html><script>1</script>",
                           "| <script> |\n|---|\n| <img src=x> |",
                           "> <script>\n> 1",
                           "# <script>1</script>",
                           "&lt;script&gt;",
                           "&#60;script>",
                           "*<b* onclick=1>",
                           "<a href=\"javascript:1\">x</a>",
                           "<math><mtext><table><mglyph><style><img src=x>",
                           "\xff<script>\xfe",
                           "<scr\0ipt>",
                           "[x]: <script>\n\n[x]",
                           "https://c.example/<script>",
                           "<details open ontoggle=x>"})
    expect_harmless(text);
}

TEST(Markdown, StrangeBytesAndLongTextsAreBorne) {
  EXPECT_EQ(markdown_html("a\xff"
                          "b"),
            "<p>a\xEF\xBF\xBD"
            "b</p>\n");
  EXPECT_EQ(markdown_html(std::string("a\0b", 3)),
            "<p>a\xEF\xBF\xBD"
            "b</p>\n");
  EXPECT_EQ(markdown_html(std::string(kLongestMarkdown + 1, 'a')), "");
}

// Texts that made Markdown parsers take minutes.
TEST(Markdown, NoTextTakesLong) {
  const auto repeated = [](const std::string& unit) {
    std::string text;
    while (text.size() + unit.size() <= kLongestMarkdown) text += unit;
    return text;
  };
  for (const char* unit : {"[",  "![",  "*a ",    "_a__b ", "[a](",  "<!--",     "<?",         "`a``",
                           "> ", "- ",  "|a",     "~~a ",   "**a_ ", "[a]: b\n", "a|b\n-|-\n", "&#",
                           "\\", "<a ", "- a\n ", "![[]()", "*_",    "x\n-|\n"}) {
    const auto begin = std::chrono::steady_clock::now();
    const std::string text = repeated(unit);
    markdown_html(text);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    EXPECT_LT(took.count(), 5) << unit;
    if (took.count() > .1) std::cout << "\"" << unit << "\" " << took.count() << " s\n";
  }
}

}  // namespace
}  // namespace keel
