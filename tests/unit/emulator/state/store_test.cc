#include "emulator/state/store.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>
#include <sqlite3.h>

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <map>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace emulator::state;
using Kind = StoreError::Kind;
using Documents = std::vector<std::pair<std::string, std::string>>;

namespace {

std::unique_ptr<Store> opened(const std::filesystem::path& folder) {
  auto store = open_store(folder);
  INFO((store ? std::string() : store.error().message));
  REQUIRE(store.has_value());
  return std::move(*store);
}

Documents documents_of(const Store& store, std::string_view table) {
  Documents documents;
  const auto done = store.each(table, [&](std::string_view key, std::string_view value) {
    documents.emplace_back(key, value);
  });
  REQUIRE(done.has_value());
  return documents;
}

StoreError refusal(const std::filesystem::path& folder) {
  const auto store = open_store(folder);
  REQUIRE_FALSE(store.has_value());
  return store.error();
}

void run_sql(const std::filesystem::path& file, const std::string& sql) {
  sqlite3* connection = nullptr;
  REQUIRE(::sqlite3_open(file.c_str(), &connection) == SQLITE_OK);
  CHECK(::sqlite3_exec(connection, sql.c_str(), nullptr, nullptr, nullptr) == SQLITE_OK);
  REQUIRE(::sqlite3_close(connection) == SQLITE_OK);
}

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

bool contains(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("documents are there again when the store is opened again", "[state]") {
  const tests::ScratchFolder scratch;
  const auto folder = scratch.path() / "a" / "state";
  {
    const auto store = opened(folder);
    REQUIRE(store->commit({{"functions", "echo", "{}"}, {"events", "1", "payload"}}));
    REQUIRE(store->commit({{"functions", "echo", R"({"v":2})"}, {"events", "1", std::nullopt}}));
    CHECK(store->durable());
  }
  const auto store = opened(folder);
  CHECK(documents_of(*store, "functions") == Documents{{"echo", R"({"v":2})"}});
  CHECK(documents_of(*store, "events").empty());
}

TEST_CASE("the changes of a commit happen in their order", "[state]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  REQUIRE(store->commit(
      {{"t", "a", "1"}, {"t", "a", std::nullopt}, {"t", "a", "2"}, {"t", "none", std::nullopt}}));
  CHECK(documents_of(*store, "t") == Documents{{"a", "2"}});
  CHECK(store->commit({}).has_value());
}

TEST_CASE("keys come in the order of their bytes, whatever the bytes are", "[state]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const std::string with_zero("a\0b", 3);
  const std::string all("\0\xff\x80\n", 4);
  REQUIRE(store->commit({{"t", "b", ""},
                         {"t", "\xff", "not UTF-8"},
                         {"t", "a", all},
                         {"t", with_zero, "zero"},
                         {"t", "B", "upper"},
                         {"t", "", "empty"},
                         {"other", "a", "elsewhere"}}));
  CHECK(documents_of(*store, "t") == Documents{{"", "empty"},
                                               {"B", "upper"},
                                               {"a", all},
                                               {with_zero, "zero"},
                                               {"b", ""},
                                               {"\xff", "not UTF-8"}});
  REQUIRE(store->commit({{"t", with_zero, std::nullopt}}));
  CHECK(documents_of(*store, "t").size() == 5);
}

TEST_CASE("only the user can read what a store keeps", "[state]") {
  const tests::ScratchFolder scratch;
  const auto folder = scratch.path() / "state" / "";
  const auto store = opened(folder);
  REQUIRE(store->commit({{"t", "a", "secret"}}));
  CHECK(mode_of(folder) == 0700);
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    INFO(file.path());
    CHECK(mode_of(file.path()) == 0600);
  }
}

TEST_CASE("a folder is refused while a store of this process holds it", "[state]") {
  const tests::ScratchFolder scratch;
  auto first = opened(scratch.path());
  REQUIRE(first->commit({{"t", "a", "1"}}));
  const auto error = refusal(scratch.path());
  CHECK(error.kind == Kind::in_use);
  CHECK(contains(error.message, std::to_string(::getpid())));
  CHECK(contains(error.message, "choose another --state-dir"));
  // The refusal has taken nothing from the holder.
  REQUIRE(first->commit({{"t", "b", "2"}}));
  CHECK(refusal(scratch.path()).kind == Kind::in_use);
  first.reset();
  CHECK(documents_of(*opened(scratch.path()), "t").size() == 2);
}

TEST_CASE("a file in the place of the state folder is refused with advice", "[state]") {
  const tests::ScratchFolder scratch;
  const auto error = refusal(scratch.write("file", "text"));
  CHECK(error.kind == Kind::host);
  CHECK(contains(error.message, "choose another --state-dir"));
  CHECK(refusal(scratch.path() / "file" / "below").kind == Kind::host);
}

TEST_CASE("a file that is no database is refused as damaged and left as it was", "[state]") {
  const tests::ScratchFolder scratch;
  scratch.write("hearth.db", std::string(10'000, 'x'));
  const auto error = refusal(scratch.path());
  CHECK(error.kind == Kind::damaged);
  CHECK(contains(error.message, "hearth.db"));
  CHECK(scratch.read("hearth.db") == std::string(10'000, 'x'));
}

TEST_CASE("a damaged page is found when the store is opened", "[state]") {
  const tests::ScratchFolder scratch;
  {
    const auto store = opened(scratch.path());
    Changes changes;
    for (int i = 0; i < 2'000; ++i) changes.push_back({"t", std::to_string(i), "some value"});
    REQUIRE(store->commit(changes));
  }
  auto bytes = scratch.read("hearth.db");
  REQUIRE(bytes.size() > 20'000);
  SECTION("overwritten in its middle") { bytes.replace(bytes.size() / 2, 5'000, 5'000, '\xa5'); }
  SECTION("cut off") { bytes.resize(bytes.size() / 2); }
  scratch.write("hearth.db", bytes);
  CHECK(refusal(scratch.path()).kind == Kind::damaged);
}

TEST_CASE("a database of a newer Hearth, of another program or without its table is refused",
          "[state]") {
  const tests::ScratchFolder scratch;
  SECTION("newer") {
    opened(scratch.path());
    run_sql(scratch.path() / "hearth.db", "PRAGMA user_version=2");
    const auto error = refusal(scratch.path());
    CHECK(error.kind == Kind::damaged);
    CHECK(contains(error.message, "newer Hearth"));
  }
  SECTION("another program's") {
    run_sql(scratch.path() / "hearth.db", "CREATE TABLE documents(a)");
    const auto error = refusal(scratch.path());
    CHECK(error.kind == Kind::damaged);
    CHECK(contains(error.message, "another program"));
  }
  SECTION("without its table") {
    opened(scratch.path());
    run_sql(scratch.path() / "hearth.db", "DROP TABLE documents");
    CHECK(refusal(scratch.path()).kind == Kind::damaged);
  }
}

TEST_CASE("a database whose making was interrupted is made anew", "[state]") {
  const tests::ScratchFolder scratch;
  SECTION("before its first byte") { scratch.write("hearth.db", ""); }
  SECTION("before its table") { run_sql(scratch.path() / "hearth.db", "PRAGMA journal_mode=WAL"); }
  const auto store = opened(scratch.path());
  CHECK(store->commit({{"t", "a", "1"}}).has_value());
}

TEST_CASE("a document beyond the limit is refused by name, and nothing of its commit is kept",
          "[state]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const Changes changes = {{"t", "small", "1"},
                           {"t", "large", std::string(kMaxDocumentBytes, 'x')}};
  const auto done = store->commit(changes);
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().kind == Kind::host);
  CHECK(contains(done.error().message, "'large'"));
  CHECK(documents_of(*store, "t").empty());
}

TEST_CASE("commits of many threads are all kept, and one that fails takes no other with it",
          "[state]") {
  const tests::ScratchFolder scratch;
  opened(scratch.path());
  // Something that only SQLite refuses, in the middle of a batch.
  run_sql(scratch.path() / "hearth.db",
          "CREATE TRIGGER refuse BEFORE INSERT ON documents WHEN NEW.key LIKE 'bad%' BEGIN"
          " SELECT RAISE(ABORT, 'refused'); END");
  constexpr int kThreads = 8;
  constexpr int kCommits = 100;
  std::atomic<int> wrong = 0;
  {
    const auto store = opened(scratch.path());
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < kCommits; ++i) {
          const auto name = std::to_string(thread) + "/" + std::to_string(i);
          const bool bad = i % 10 == 9;
          Changes changes = {{"t", name, "1"}, {"u", name, "2"}};
          if (bad) changes.insert(changes.begin() + 1, Change{"t", "bad" + name, "3"});
          if (store->commit(changes).has_value() == bad) ++wrong;
          if (i % 25 == 0 && !store->each("t", [](auto, auto) {})) ++wrong;
        }
      });
    }
  }
  CHECK(wrong == 0);
  const auto store = opened(scratch.path());
  const auto kept = documents_of(*store, "t");
  CHECK(kept.size() == kThreads * kCommits * 9 / 10);
  CHECK(documents_of(*store, "u").size() == kept.size());
}

TEST_CASE("a store in memory keeps nothing", "[state]") {
  const auto store = store_in_memory();
  CHECK(store->commit({{"t", "a", "1"}}).has_value());
  CHECK(documents_of(*store, "t").empty());
  CHECK_FALSE(store->durable());
}
