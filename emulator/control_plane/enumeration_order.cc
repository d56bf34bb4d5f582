#include "emulator/control_plane/enumeration_order.h"

#include <algorithm>
#include <cstdint>

namespace emulator::control_plane {
namespace {

// The values are ASCII: a byte is what Java calls a char.
std::uint32_t java_hash(const std::string& text) {
  std::uint32_t hash = 0;
  for (const char c : text) hash = 31 * hash + static_cast<unsigned char>(c);
  hash ^= (hash >> 20) ^ (hash >> 12);
  return hash ^ (hash >> 7) ^ (hash >> 4);
}

// A set made from a list has room for a third more than the list, in a power of two.
std::size_t table_size(std::size_t values) {
  const std::size_t room = std::max<std::size_t>(values * 4 / 3 + 1, 16);
  std::size_t size = 1;
  while (size < room) size *= 2;
  return size;
}

}  // namespace

std::vector<std::string> in_message_order(const std::vector<std::string>& values) {
  const auto size = table_size(values.size());
  // Those that share a place: the last comes first.
  std::vector<std::string> ordered(values.rbegin(), values.rend());
  std::stable_sort(ordered.begin(), ordered.end(), [&](const auto& left, const auto& right) {
    return java_hash(left) % size < java_hash(right) % size;
  });
  return ordered;
}

}  // namespace emulator::control_plane
