// What is numbered as it comes, over restarts too, and kept in two tables of the store under that
// number: one document with what came, written once, and at most one with what has become of it.
//
// Any thread. Used by the queue and the outbox only.
#pragma once

#include "emulator/state/store.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

namespace emulator::invoke {

struct NumberedTables {
  std::string_view noun;   // of what is kept, for sentences: "event"
  std::string_view came;   // table of the first documents
  std::string_view since;  // table of the second ones
};

// A key that sorts by number.
std::string sequence_key(std::uint64_t sequence);
tl::expected<std::uint64_t, std::string> read_sequence_key(std::string_view key);

// Adds to `changes` that both documents are removed.
void forget(std::uint64_t sequence, const NumberedTables& tables, state::Changes& changes);

// Takes in one document; the error says what is wrong with it.
using SeeDocument =
    std::function<tl::expected<void, std::string>(std::uint64_t sequence, std::string_view text)>;

struct NumberedFound {
  // The highest that is in use, by either table: a number that is given twice would lend an old
  // document to something new.
  std::uint64_t last_sequence = 0;
  state::Changes orphans;  // removes the second documents that have no first one
};

// Gives all first documents to `see_came`, then all second ones that have a first one to
// `see_since`, both in order. The error is a sentence about the first document that cannot be read.
tl::expected<NumberedFound, std::string> read_numbered(const state::Store& store,
                                                       const NumberedTables& tables,
                                                       const SeeDocument& see_came,
                                                       const SeeDocument& see_since);

}  // namespace emulator::invoke
