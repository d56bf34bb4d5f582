#include "emulator/template/closest_name.h"

#include <algorithm>
#include <cstddef>
#include <cstdlib>

namespace emulator::templates {
namespace {

// Longer names are not compared: the table below is quadratic. Logical ids end at 255.
constexpr std::size_t kMaxComparedLength = 256;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

// Optimal string alignment distance.
std::size_t distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> cost(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        cost[i][j] = i + j;
        continue;
      }
      const bool same = lower(a[i - 1]) == lower(b[j - 1]);
      cost[i][j] =
          std::min({cost[i - 1][j] + 1, cost[i][j - 1] + 1, cost[i - 1][j - 1] + (same ? 0U : 1U)});
      if (i > 1 && j > 1 && lower(a[i - 1]) == lower(b[j - 2]) &&
          lower(a[i - 2]) == lower(b[j - 1])) {
        cost[i][j] = std::min(cost[i][j], cost[i - 2][j - 2] + 1);
      }
    }
  }
  return cost[a.size()][b.size()];
}

}  // namespace

std::optional<std::string> closest_name(std::string_view wanted,
                                        const std::vector<std::string>& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = wanted.size() / 3 + 2;
  if (wanted.size() > kMaxComparedLength) return best;
  for (const auto& candidate : candidates) {
    if (candidate.size() > kMaxComparedLength) continue;
    const auto changes = distance(wanted, candidate);
    if (changes < best_distance && changes < candidate.size()) {
      best_distance = changes;
      best = candidate;
    }
  }
  return best;
}

std::string did_you_mean(std::string_view wanted, const std::vector<std::string>& candidates) {
  const auto name = closest_name(wanted, candidates);
  return name ? " (did you mean '" + *name + "'?)" : "";
}

}  // namespace emulator::templates
