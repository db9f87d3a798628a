#include "keel/data/micro_batches.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <optional>

#include "keel/data/episodes.h"
#include "keel/data/examples.h"

namespace keel {
namespace {

// Pairs of a query and a key that `size` tokens see, `before` tokens of their ancestors among them.
double pairs(int64_t before, int64_t size) {
  const auto n = static_cast<double>(size);
  return n * static_cast<double>(before) + n * (n + 1) / 2;
}

// What a row adds to a forest in which its prompt is, or is not yet.
struct Size {
  int64_t tokens = 0;
  double pairs = 0;
};
Size added_size(const RowShape& row, bool prompt_is_there) {
  Size size;
  if (!prompt_is_there) size = {row.prompt, pairs(0, row.prompt)};
  for (const int64_t branch : row.branches) {
    size.tokens += branch;
    size.pairs += pairs(row.prompt, branch);
  }
  return size;
}

// Rows [first, end) that are never parted, or what a micro-batch has taken of them.
struct Load {
  int64_t rows = 0, tokens = 0;
  double cost = 0;

  void add(const Load& other) {
    rows += other.rows;
    tokens += other.tokens;
    cost += other.cost;
  }
};
struct Unit {
  int64_t first = 0;
  Load load;
};
struct Bin {
  Load load;
  std::vector<int64_t> rows;
};

bool fits(const Load& load, const Load& more, const MicroBatchLimits& limits) {
  return load.rows == 0 || ((limits.rows == 0 || load.rows + more.rows <= limits.rows) &&
                            (limits.tokens == 0 || load.tokens + more.tokens <= limits.tokens));
}

Load load_of(const Size& size, const MicroBatchLimits& limits) {
  const double pair = limits.width > 0 ? 1.0 / static_cast<double>(6 * limits.width) : 0.0;
  return {1, size.tokens, static_cast<double>(size.tokens) + pair * size.pairs};
}

// Rows that share a prompt are a unit, up to the limits.
std::vector<Unit> units_of(std::span<const RowShape> rows, const MicroBatchLimits& limits) {
  std::vector<Unit> units;
  for (size_t i = 0; i < rows.size(); ++i) {
    const Load shared = load_of(added_size(rows[i], true), limits);
    if (rows[i].shares_prompt && !units.empty() && fits(units.back().load, shared, limits))
      units.back().load.add(shared);
    else
      units.push_back({static_cast<int64_t>(i), load_of(added_size(rows[i], false), limits)});
  }
  return units;
}

// No filling needs less.
int64_t fewest(const std::vector<Unit>& units, const MicroBatchLimits& limits) {
  const auto parts = [](int64_t sum, int64_t most) { return most == 0 ? 1 : (sum + most - 1) / most; };
  int64_t rows = 0, tokens = 0;
  for (const Unit& unit : units) {
    rows += unit.load.rows;
    tokens += limits.tokens == 0 ? 0 : std::min(unit.load.tokens, limits.tokens);
  }
  return std::max(parts(rows, limits.rows), parts(tokens, limits.tokens));
}

// Nothing when a unit finds no room. by_cost: units in the order in which they are placed.
std::optional<std::vector<Bin>> fill(const std::vector<Unit>& by_cost, int64_t count,
                                     const MicroBatchLimits& limits) {
  std::vector<Bin> bins(static_cast<size_t>(count));
  for (const Unit& unit : by_cost) {
    Bin* cheapest = nullptr;
    for (Bin& bin : bins)
      if (fits(bin.load, unit.load, limits) && (cheapest == nullptr || bin.load.cost < cheapest->load.cost))
        cheapest = &bin;
    if (cheapest == nullptr) return std::nullopt;
    cheapest->load.add(unit.load);
    for (int64_t i = 0; i < unit.load.rows; ++i) cheapest->rows.push_back(unit.first + i);
  }
  return bins;
}

}  // namespace

RowShape shape_of(const Example& example) {
  RowShape shape{std::ssize(example.prompt)};
  for (const auto& completion : example.completions) shape.branches.push_back(std::ssize(completion));
  return shape;
}

std::vector<RowShape> shapes_of(std::span<const Episode* const> episodes) {
  std::vector<RowShape> shapes;
  for (size_t i = 0; i < episodes.size(); ++i)
    shapes.push_back({std::ssize(episodes[i]->prompt),
                      {std::ssize(episodes[i]->response)},
                      i > 0 && episodes[i]->prompt == episodes[i - 1]->prompt});
  return shapes;
}

int64_t forest_tokens(std::span<const RowShape> rows) {
  return std::accumulate(rows.begin(), rows.end(), int64_t{0}, [](int64_t sum, const RowShape& row) {
    return sum + added_size(row, row.shares_prompt).tokens;
  });
}

std::vector<std::vector<int64_t>> micro_batches(std::span<const RowShape> rows,
                                                const MicroBatchLimits& limits) {
  std::vector<Unit> units = units_of(rows, limits);
  std::stable_sort(units.begin(), units.end(),
                   [](const Unit& a, const Unit& b) { return a.load.cost > b.load.cost; });
  int64_t count = fewest(units, limits);
  std::optional<std::vector<Bin>> bins;
  // Growing by an eighth keeps the tries few; with a bin for each unit all find room.
  for (; !bins; count += std::max<int64_t>(1, count / 8)) bins = fill(units, count, limits);
  std::vector<std::vector<int64_t>> pieces;
  for (Bin& bin : *bins) {
    if (bin.rows.empty()) continue;
    std::sort(bin.rows.begin(), bin.rows.end());
    pieces.push_back(std::move(bin.rows));
  }
  std::sort(pieces.begin(), pieces.end());
  return pieces;
}

std::vector<std::vector<const Example*>> micro_batches(std::span<const Example* const> batch,
                                                       const MicroBatchLimits& limits) {
  std::vector<RowShape> shapes;
  for (const Example* example : batch) shapes.push_back(shape_of(*example));
  std::vector<std::vector<const Example*>> pieces;
  for (const auto& rows : micro_batches(shapes, limits)) {
    pieces.emplace_back();
    for (const int64_t row : rows) pieces.back().push_back(batch[static_cast<size_t>(row)]);
  }
  return pieces;
}

}  // namespace keel
