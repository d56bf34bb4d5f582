#include "emulator/invoke/numbered_documents.h"

#include "tests/support/remembering_store.h"

#include <catch2/catch_test_macros.hpp>

#include <vector>

using namespace emulator::invoke;
using tests::RememberingStore;

namespace {

constexpr NumberedTables kTables{.noun = "thing", .came = "things", .since = "thing_news"};

using Seen = tl::expected<void, std::string>;

// What was shown of each table, such as "1 text".
struct Shown {
  std::vector<std::string> came;
  std::vector<std::string> since;

  static SeeDocument into(std::vector<std::string>& list) {
    return [&list](std::uint64_t sequence, std::string_view text) -> Seen {
      if (text == "damaged") return tl::unexpected(std::string("no sense in it"));
      list.push_back(std::to_string(sequence) + " " + std::string(text));
      return {};
    };
  }
  tl::expected<NumberedFound, std::string> read(const RememberingStore& store) {
    return read_numbered(store, kTables, into(came), into(since));
  }
};

}  // namespace

TEST_CASE("numbered documents are read in order, what came before what has become of it",
          "[events]") {
  RememberingStore store;
  for (const std::uint64_t sequence : {10U, 9U, 2U}) {
    store.documents["things"][sequence_key(sequence)] = "came";
  }
  store.documents["thing_news"][sequence_key(9)] = "news";
  Shown shown;
  const auto found = shown.read(store);
  REQUIRE(found);
  CHECK(found->last_sequence == 10);
  CHECK(found->orphans.empty());
  CHECK(shown.came == std::vector<std::string>{"2 came", "9 came", "10 came"});
  CHECK(shown.since == std::vector<std::string>{"9 news"});
}

TEST_CASE("news of what is gone is not read but to be removed, and its number is not given again",
          "[events]") {
  RememberingStore store;
  store.documents["things"][sequence_key(3)] = "came";
  store.documents["thing_news"][sequence_key(2)] = "damaged";
  store.documents["thing_news"][sequence_key(7)] = "news";
  Shown shown;
  const auto found = shown.read(store);
  REQUIRE(found);
  CHECK(found->last_sequence == 7);
  CHECK(shown.since.empty());
  REQUIRE(store.commit(found->orphans));
  CHECK(store.documents["thing_news"].empty());
  CHECK(store.documents["things"].size() == 1);
}

TEST_CASE("the first numbered document that cannot be read is told with its key", "[events]") {
  RememberingStore store;
  store.documents["things"][sequence_key(3)] = "came";
  std::string key;
  SECTION("of what came") {
    key = sequence_key(4);
    store.documents["things"][key] = "damaged";
    store.documents["things"][sequence_key(5)] = "damaged";
  }
  SECTION("of what has become of it") {
    key = sequence_key(3);
    store.documents["thing_news"][key] = "damaged";
  }
  SECTION("by its key") {
    key = "stray";
    store.documents["thing_news"][key] = "news";
  }
  Shown shown;
  const auto found = shown.read(store);
  REQUIRE_FALSE(found);
  CHECK(found.error().find("record of the thing " + key + " ") != std::string::npos);
}

TEST_CASE("keys sort as their numbers do, and each number has one", "[events]") {
  CHECK(sequence_key(9) < sequence_key(10));
  CHECK(sequence_key(UINT64_MAX).size() == sequence_key(1).size());
  CHECK(read_sequence_key(sequence_key(0)) == 0);
  CHECK(read_sequence_key(sequence_key(UINT64_MAX)) == UINT64_MAX);
  for (const auto* key : {"", "1", "12x", "0000000000000000001x", "99999999999999999999"}) {
    INFO(key);
    CHECK_FALSE(read_sequence_key(key));
  }
}
