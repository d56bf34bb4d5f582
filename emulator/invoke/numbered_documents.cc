#include "emulator/invoke/numbered_documents.h"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <limits>
#include <set>
#include <system_error>

namespace emulator::invoke {
namespace {

// As many digits as the largest number has.
constexpr std::size_t kKeyDigits = std::numeric_limits<std::uint64_t>::digits10 + 1;

// Gives each document with its number to `see`, up to the first error.
tl::expected<void, std::string> read_table(const state::Store& store,
                                           std::string_view table,
                                           std::string_view noun,
                                           const SeeDocument& see) {
  tl::expected<void, std::string> outcome;
  const auto read = store.each(table, [&](std::string_view key, std::string_view text) {
    if (!outcome) return;
    const auto sequence = read_sequence_key(key);
    const auto seen = sequence ? see(*sequence, text) : tl::unexpected(sequence.error());
    if (seen) return;
    outcome = tl::unexpected("the state folder's record of the " + std::string(noun) + " " +
                             std::string(key) + " cannot be read (" + seen.error() +
                             "); restore the folder from a copy, or begin with an empty one");
  });
  if (!read) return tl::unexpected(read.error().message);
  return outcome;
}

}  // namespace

std::string sequence_key(std::uint64_t sequence) {
  auto digits = std::to_string(sequence);
  return std::string(kKeyDigits - digits.size(), '0') + digits;
}

tl::expected<std::uint64_t, std::string> read_sequence_key(std::string_view key) {
  std::uint64_t sequence = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), sequence);
  const bool whole = error == std::errc() && end == key.data() + key.size();
  // One number has one key, so that what is read can be removed.
  if (!whole || key.size() != kKeyDigits) {
    return tl::unexpected("its key is no number of " + std::to_string(kKeyDigits) + " digits");
  }
  return sequence;
}

void forget(std::uint64_t sequence, const NumberedTables& tables, state::Changes& changes) {
  const auto key = sequence_key(sequence);
  changes.push_back({std::string(tables.came), key, std::nullopt});
  changes.push_back({std::string(tables.since), key, std::nullopt});
}

tl::expected<NumberedFound, std::string> read_numbered(const state::Store& store,
                                                       const NumberedTables& tables,
                                                       const SeeDocument& see_came,
                                                       const SeeDocument& see_since) {
  NumberedFound found;
  std::set<std::uint64_t> came;
  const auto note = [&](std::uint64_t sequence) {
    found.last_sequence = std::max(found.last_sequence, sequence);
  };
  auto read = read_table(
      store, tables.came, tables.noun, [&](std::uint64_t sequence, std::string_view text) {
        note(sequence);
        came.insert(came.end(), sequence);
        return see_came(sequence, text);
      });
  if (!read) return tl::unexpected(std::move(read.error()));
  read = read_table(
      store,
      tables.since,
      tables.noun,
      [&](std::uint64_t sequence, std::string_view text) -> tl::expected<void, std::string> {
        note(sequence);
        if (came.contains(sequence)) return see_since(sequence, text);
        found.orphans.push_back({std::string(tables.since), sequence_key(sequence), std::nullopt});
        return {};
      });
  if (!read) return tl::unexpected(std::move(read.error()));
  return found;
}

}  // namespace emulator::invoke
