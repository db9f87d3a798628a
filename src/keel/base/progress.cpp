#include "keel/base/progress.h"

#include <unistd.h>

#include <cstdio>

#include "keel/base/products.h"

namespace keel {
namespace {

std::string number_text(double value, const char* format) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, format, value);
  return buffer;
}

}  // namespace

std::string duration_text(double seconds) {
  if (seconds < 100) return number_text(seconds, "%.0f s");
  if (seconds < 6000) return number_text(seconds / 60, "%.1f min");
  return number_text(seconds / 3600, "%.1f h");
}

Progress::Progress(std::string stage, std::string unit, int64_t total, int64_t already_done)
    : stage_(std::move(stage)),
      unit_(std::move(unit)),
      total_(total),
      start_(already_done),
      products_before_(products_counted()),
      began_(Clock::now()),
      printed_(began_),
      terminal_(::isatty(STDERR_FILENO) != 0) {}

Progress::~Progress() {
  if (terminal_ && printed_any_) std::fputc('\n', stderr);
}

void Progress::update(int64_t done, std::string_view note) {
  const auto now = Clock::now();
  const double since = std::chrono::duration<double>(now - printed_).count();
  const bool finished = total_ > 0 && done >= total_;
  if (!finished && printed_any_ && since < (terminal_ ? 0.2 : 10.0)) return;
  printed_ = now;
  print(done, note);
  printed_any_ = true;
}

void Progress::print(int64_t done, std::string_view note) {
  const double elapsed = std::chrono::duration<double>(Clock::now() - began_).count();
  const double rate = elapsed > 0 ? static_cast<double>(done - start_) / elapsed : 0;
  std::string line = stage_ + "  " + unit_ + " " + std::to_string(done);
  if (total_ > 0) line += "/" + std::to_string(total_);
  line += "  " + number_text(rate, rate < 10 ? "%.2f/s" : "%.0f/s");
  if (total_ > done && rate > 0)
    line += "  " + duration_text(static_cast<double>(total_ - done) / rate) + " left";
  else if (done >= total_)
    line += "  " + duration_text(elapsed) + " in all";
  if (tokens_ > 0 && elapsed > 0)
    line += "  " + number_text(static_cast<double>(tokens_) / elapsed, "%.0f tokens/s");
  if (matrix_rate_ > 0 && elapsed > 0)
    line += "  " +
            number_text(100 * (products_counted() - products_before_) / elapsed / matrix_rate_, "%.0f %%") +
            " of the matrix rate";
  if (!note.empty()) line += "  " + std::string(note);
  std::fprintf(stderr, terminal_ ? "\r\033[K%s" : "%s\n", line.c_str());
  std::fflush(stderr);
}

}  // namespace keel
