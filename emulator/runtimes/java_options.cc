#include "emulator/runtimes/java_options.h"

#include <algorithm>
#include <initializer_list>

namespace emulator::runtimes {
namespace {

constexpr std::int64_t kOutsideHeapMb = 64;
constexpr int kOutsideHeapPercent = 15;
constexpr std::int64_t kLeastHeapMb = 16;

bool has_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) {
    return text.find(word) != std::string_view::npos;
  });
}

}  // namespace

std::int64_t java_heap_mb(std::int64_t memory_mb) {
  const auto outside = std::max(kOutsideHeapMb, memory_mb * kOutsideHeapPercent / 100);
  return std::max(kLeastHeapMb, memory_mb - outside);
}

std::vector<std::string> java_options(std::int64_t memory_mb, std::string_view customer_options) {
  std::vector<std::string> options;
  if (!has_one_of(customer_options, {"-Xmx", "MaxHeapSize", "MaxRAM"})) {
    options.push_back("-Xmx" + std::to_string(java_heap_mb(memory_mb)) + "m");
  }
  if (!has_one_of(customer_options, {"GC"})) options.emplace_back("-XX:+UseSerialGC");
  if (!has_one_of(customer_options, {"Tiered", "-Xint", "-Xcomp"})) {
    options.emplace_back("-XX:TieredStopAtLevel=1");
  }
  return options;
}

}  // namespace emulator::runtimes
