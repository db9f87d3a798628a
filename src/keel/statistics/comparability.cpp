#include "keel/statistics/comparability.h"

#include <algorithm>

namespace keel {
namespace {

using Edges = std::vector<std::vector<size_t>>;

constexpr size_t kNone = SIZE_MAX;

// Gives `number` to all that can be reached from `start` and have none; the order in which their own edges
// are exhausted is appended to `finished`.
void reach(const Edges& edges, size_t start, size_t number, std::vector<size_t>& numbers,
           std::vector<size_t>& finished) {
  struct Visit {
    size_t node, next_edge;
  };
  std::vector<Visit> path = {{start, 0}};
  numbers[start] = number;
  while (!path.empty()) {
    auto& [node, next_edge] = path.back();
    if (next_edge == edges[node].size()) {
      finished.push_back(node);
      path.pop_back();
      continue;
    }
    const size_t neighbour = edges[node][next_edge++];
    if (numbers[neighbour] != kNone) continue;
    numbers[neighbour] = number;
    path.push_back({neighbour, 0});
  }
}

// Numbers what is reached together, starting from the nodes in the order given.
size_t number_groups(const Edges& edges, const std::vector<size_t>& starts, std::vector<size_t>& numbers,
                     std::vector<size_t>& finished) {
  numbers.assign(edges.size(), kNone);
  size_t groups = 0;
  for (const size_t start : starts) {
    if (numbers[start] == kNone) reach(edges, start, groups++, numbers, finished);
  }
  return groups;
}

}  // namespace

Comparability comparability(std::span<const Battle> battles) {
  check_battles("comparability", battles);
  const Names names = contestants(battles);
  Edges beat(names.size()), lost_to(names.size()), met(names.size());
  for (const auto& battle : battles) {
    const size_t first = names.position(battle.first), second = names.position(battle.second);
    met[first].push_back(second), met[second].push_back(first);
    if (battle.outcome > 0) beat[first].push_back(second), lost_to[second].push_back(first);
    if (battle.outcome < 1) beat[second].push_back(first), lost_to[first].push_back(second);
  }
  Comparability result{.names = names.sorted()};
  std::vector<size_t> all(names.size()), by_finish, unused;
  for (size_t i = 0; i < all.size(); ++i) all[i] = i;
  result.components = number_groups(met, all, result.component, unused);
  // Kosaraju: from the last that finishes on, whatever is reached against the edges is strongly connected;
  // groups are met in the order of the edges, winners first.
  number_groups(beat, all, result.tier, by_finish);
  std::reverse(by_finish.begin(), by_finish.end());
  result.tiers = number_groups(lost_to, by_finish, result.tier, unused);
  return result;
}

}  // namespace keel
