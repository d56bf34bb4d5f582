// What the machine around functions is like and costs: CPU by memory size, cold starts in the
// sandbox, freezing, a thousand environments, faults. Figures stand next to what is wanted of them.
//
//   machine_bench [SECTION...]   all of them, or: cpu share cold thaw scale soak
//   machine_bench soak --minutes N
//
// The exit status tells whether an invocation was lost in the soak; no figure is asserted, because
// these machines are shared.
#include "tests/bench/measured_program.h"
#include "tests/bench/sections.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kRounds = 10;
constexpr int kStarts = 300;
constexpr int kEnvironments = 1000;
constexpr std::chrono::seconds kShortSoak{15};

struct Wish {
  std::vector<std::string_view> sections;  // empty: all
  std::chrono::seconds soak = kShortSoak;

  bool has(std::string_view section) const {
    return sections.empty() ||
           std::find(sections.begin(), sections.end(), section) != sections.end();
  }
};

[[noreturn]] void refuse(std::string_view word) {
  bench::give_up("there is no section '" + std::string(word) +
                 "'; machine_bench [cpu|share|cold|thaw|scale|soak [--minutes N]]...");
}

Wish parse(const std::vector<std::string_view>& words) {
  constexpr std::array<std::string_view, 6> kSections = {
      "cpu", "share", "cold", "thaw", "scale", "soak"};
  Wish wish;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (words[i] == "--minutes" && i + 1 < words.size()) {
      const auto number = words[++i];
      int minutes = 0;
      std::from_chars(number.data(), number.data() + number.size(), minutes);
      if (minutes <= 0) refuse(number);
      wish.soak = std::chrono::minutes{minutes};
    } else if (std::find(kSections.begin(), kSections.end(), words[i]) != kSections.end()) {
      wish.sections.push_back(words[i]);
    } else {
      refuse(words[i]);
    }
  }
  return wish;
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const auto wish = parse({argv + 1, argv + argc});
  if (wish.has("cpu")) bench::time_times_share(kRounds);
  if (wish.has("share")) bench::measured_share(kRounds);
  if (wish.has("cold")) bench::cold_start(kStarts);
  if (wish.has("thaw")) bench::thaw(kStarts);
  if (wish.has("scale")) bench::scale(kEnvironments);
  if (wish.has("soak") && !bench::soak(wish.soak)) return 1;
  return 0;
}
