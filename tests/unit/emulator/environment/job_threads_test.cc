#include "emulator/environment/job_threads.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

using namespace emulator::environment;

namespace {

constexpr std::size_t kThreads = 4;

}  // namespace

TEST_CASE("every job that was accepted is done before the threads are gone") {
  std::mutex mutex;
  std::vector<int> done;
  auto threads = std::make_optional<JobThreads>(kThreads);
  for (int i = 0; i < 100; ++i) {
    REQUIRE(threads->run([&, i] {
      const std::lock_guard lock(mutex);
      done.push_back(i);
    }) == JobThreads::Accepted::yes);
  }
  threads.reset();
  std::sort(done.begin(), done.end());
  REQUIRE(done.size() == 100);
  CHECK(done.front() == 0);
  CHECK(done.back() == 99);
}

TEST_CASE("jobs run side by side, but no more of them than there may be threads") {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t running = 0;
  std::size_t most = 0;
  std::size_t ended = 0;
  bool open = false;
  JobThreads threads(kThreads);
  constexpr auto kJobs = 3 * kThreads;
  for (std::size_t i = 0; i < kJobs; ++i) {
    REQUIRE(threads.run([&] {
      std::unique_lock lock(mutex);
      most = std::max(most, ++running);
      changed.notify_all();
      changed.wait(lock, [&] { return open; });
      --running;
      ++ended;
      changed.notify_all();
    }) == JobThreads::Accepted::yes);
  }
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return running == kThreads; });
  open = true;
  changed.notify_all();
  changed.wait(lock, [&] { return ended == kJobs; });
  CHECK(most == kThreads);
}

TEST_CASE("what a job holds goes with it") {
  const auto held = std::make_shared<int>(1);
  std::mutex mutex;
  std::condition_variable changed;
  bool second_ran = false;
  {
    JobThreads threads(kThreads);
    REQUIRE(threads.run([copy = held] {}) == JobThreads::Accepted::yes);
    REQUIRE(threads.run([&] {
      const std::lock_guard lock(mutex);
      second_ran = true;
      changed.notify_all();
    }) == JobThreads::Accepted::yes);
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return second_ran; });
  }
  CHECK(held.use_count() == 1);
}
