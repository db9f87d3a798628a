#include "keel/reports/html.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace keel::html {
namespace {

TEST(Html, EscapesWhatABrowserWouldObey) {
  EXPECT_EQ(escape("<script>alert('x')</script>&\""),
            "&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;&quot;");
  EXPECT_EQ(escape("caf\xC3\xA9 \xE2\x88\x92\n\t"), "caf\xC3\xA9 \xE2\x88\x92\n\t");
}

TEST(Html, ReplacesWhatIsNoText) {
  const std::string mark = "\xEF\xBF\xBD";
  EXPECT_EQ(escape("a\xff\xc3"), "a" + mark + mark);  // broken UTF-8, cut UTF-8
  EXPECT_EQ(escape(std::string_view("a\0b\x1b[0m", 7)), "a" + mark + "b" + mark + "[0m");
  EXPECT_EQ(escape("\xE2\x80\xAE"
                   "evil"),
            mark + "evil");                                     // right-to-left override
  EXPECT_EQ(escape("\xC0\xBCscript"), mark + mark + "script");  // "<" in too many bytes
  EXPECT_EQ(escape("\xED\xA0\x80"), mark + mark + mark);        // half of a surrogate pair
}

TEST(Html, NumbersHaveThreeSignificantDigits) {
  const struct {
    double value;
    const char* text;
  } rows[] = {{0, "0"},
              {1.234, "1.23"},
              {12.34, "12.3"},
              {123.4, "123"},
              {1234.5, "1,234"},
              {1234567, "1,234,567"},
              {0.01234, "0.0123"},
              {0.1234, "0.123"},
              {0.9996, "1.00"},
              {0.99949, "0.999"},
              {9.996, "10.0"},
              {99.96, "100"},
              {0.00012345, "0.000123"},
              {0.00001, "1.00e-05"},
              {-1.5,
               "\xE2\x88\x92"
               "1.50"}};
  for (const auto& row : rows) EXPECT_EQ(number(row.value), row.text);
  EXPECT_EQ(number(0.0123, 1.5), "0.01");
  EXPECT_EQ(number(7.0, 1234.0), "7");
  EXPECT_EQ(number(std::nan("")), "\xE2\x80\x93");
  EXPECT_EQ(number(-std::numeric_limits<double>::infinity()), "\xE2\x88\x92\xE2\x88\x9E");
  EXPECT_EQ(number(int64_t{-1234567}),
            "\xE2\x88\x92"
            "1,234,567");
  EXPECT_EQ(number(int64_t{999}), "999");
}

TEST(Html, SharesAndTimesReadWell) {
  EXPECT_EQ(percent(0.6126), "61.3 %");
  EXPECT_EQ(percent_with_interval(0.5, {0.25, 0.75}), "50.0 % (25.0 to 75.0)");
  EXPECT_EQ(with_interval({1.2345, 0.1, {1, 1.5}, 9}), "1.23 (1.00 to 1.50)");
  EXPECT_EQ(with_interval({0.08, 0.1, {-0.0964, 0.2564}, 9}),
            "0.080 (\xE2\x88\x92"
            "0.096 to 0.256)");
  EXPECT_EQ(duration(12.34), "12.3 s");
  EXPECT_EQ(duration(245.2), "4 min 05 s");
}

}  // namespace
}  // namespace keel::html
