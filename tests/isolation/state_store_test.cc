// Stores whose process comes to a bad end.
#include "emulator/state/store.h"
#include "tests/support/forked_child.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace emulator::state;
using tests::ForkedChild;

namespace {

constexpr int kThreads = 4;
constexpr int kDocumentsOfBatch = 3;

std::unique_ptr<Store> opened(const std::filesystem::path& folder) {
  auto store = open_store(folder);
  INFO((store ? std::string() : store.error().message));
  REQUIRE(store.has_value());
  return std::move(*store);
}

// Commits batches without end: number → as many documents as a batch has.
void commit_forever(Store& store, std::int64_t first, const ForkedChild::Tell& acknowledged) {
  for (std::int64_t number = first;; number += kThreads) {
    Changes changes;
    for (int part = 0; part < kDocumentsOfBatch; ++part) {
      changes.push_back({"t", std::to_string(number) + "/" + std::to_string(part), "value"});
    }
    if (!store.commit(changes)) return;
    acknowledged(number);
  }
}

std::map<std::int64_t, int> documents_of_batches(const Store& store) {
  std::map<std::int64_t, int> counts;
  REQUIRE(store.each("t", [&](std::string_view key, std::string_view) {
    ++counts[std::stoll(std::string(key))];
  }));
  return counts;
}

}  // namespace

TEST_CASE("a kill at any instant loses no commit that was acknowledged and leaves none half",
          "[state]") {
  const tests::ScratchFolder scratch;
  std::set<std::int64_t> acknowledged;
  std::int64_t next_number = 0;
  for (int round = 0; round < 20; ++round) {
    ForkedChild child([&](const ForkedChild::Tell& tell) {
      auto store = open_store(scratch.path());
      if (!store) return;
      std::vector<std::thread> threads;
      for (int i = 0; i < kThreads; ++i) {
        threads.emplace_back([&, i] { commit_forever(**store, next_number + i, tell); });
      }
      for (auto& thread : threads) thread.join();
    });
    // Kills of different rounds come after different numbers of commits, the first after none.
    for (int heard = 0; heard < round * 13; ++heard) {
      const auto number = child.next();
      REQUIRE(number.has_value());
      acknowledged.insert(*number);
    }
    child.kill_and_wait();
    while (const auto number = child.next()) acknowledged.insert(*number);

    const auto kept = documents_of_batches(*opened(scratch.path()));
    for (const auto& [number, documents] : kept) {
      INFO("batch " << number << " of round " << round);
      REQUIRE(documents == kDocumentsOfBatch);
      next_number = std::max(next_number, number + 1);
    }
    for (const auto number : acknowledged) {
      INFO("batch " << number << " of round " << round);
      REQUIRE(kept.contains(number));
    }
  }
}

TEST_CASE("a state folder is refused with the holder's process id until the holder is killed",
          "[state]") {
  const tests::ScratchFolder scratch;
  ForkedChild holder([&](const ForkedChild::Tell& tell) {
    const auto store = open_store(scratch.path());
    tell(store.has_value() ? 1 : 0);
    ::pause();
  });
  REQUIRE(holder.next() == 1);
  const auto refused = open_store(scratch.path());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == StoreError::Kind::in_use);
  CHECK(refused.error().message.find("process " + std::to_string(holder.pid())) !=
        std::string::npos);
  holder.kill_and_wait();
  CHECK(open_store(scratch.path()).has_value());
}

TEST_CASE("a child that a killed Hearth leaves behind does not keep its state folder", "[state]") {
  const tests::ScratchFolder scratch;
  pid_t orphan = 0;
  ForkedChild holder([&](const ForkedChild::Tell& tell) {
    const auto store = open_store(scratch.path());
    const pid_t child = ::fork();
    if (child == 0) {
      ::pause();
      ::_exit(0);
    }
    tell(store.has_value() ? child : 0);
    ::pause();
  });
  orphan = static_cast<pid_t>(holder.next().value_or(0));
  REQUIRE(orphan > 0);
  holder.kill_and_wait();
  CHECK(open_store(scratch.path()).has_value());
  ::kill(orphan, SIGKILL);
}

TEST_CASE("a disk that takes no more is an error of the commit alone", "[state]") {
  const tests::ScratchFolder scratch;
  ForkedChild child([&](const ForkedChild::Tell& tell) {
    auto store = open_store(scratch.path());
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{.rlim_cur = 256 * 1024, .rlim_max = RLIM_INFINITY};
    if (!store || ::setrlimit(RLIMIT_FSIZE, &limit) != 0) return;
    for (int i = 0; i < 1'000; ++i) {
      const auto done = (*store)->commit({{"t", std::to_string(i), std::string(10'000, 'x')}});
      if (!done) {
        if (done.error().kind != StoreError::Kind::host) return;
        break;
      }
      tell(i);
    }
    const rlimit lifted{.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &lifted);
    if ((*store)->commit({{"t", "after", "1"}})) tell(-1);
  });
  std::vector<std::int64_t> heard;
  while (const auto number = child.next()) heard.push_back(*number);
  child.kill_and_wait();
  REQUIRE(heard.size() > 5);
  CHECK(heard.size() < 1'000);
  CHECK(heard.back() == -1);
  int documents = 0;
  const auto store = opened(scratch.path());
  REQUIRE(store->each("t", [&](std::string_view, std::string_view) { ++documents; }));
  CHECK(documents == static_cast<int>(heard.size()));
}
