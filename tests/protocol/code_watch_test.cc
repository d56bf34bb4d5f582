#include "emulator/functions/code_watch.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::functions;
namespace fs = std::filesystem;

namespace {

// Counts what is told. Any thread.
class Told {
 public:
  CodeWatch::Changed hear() {
    return [this](const fs::path& folder) {
      const std::lock_guard lock(mutex_);
      ++counts_[folder];
      more_.notify_all();
    };
  }
  int count(const fs::path& folder) {
    const std::lock_guard lock(mutex_);
    return counts_[folder];
  }
  // Does the act and waits until the folder is told once more.
  template <typename Act>
  void await_after(const fs::path& folder, Act act) {
    std::unique_lock lock(mutex_);
    const int before = counts_[folder];
    lock.unlock();
    act();
    lock.lock();
    more_.wait(lock, [&] { return counts_[folder] > before; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  std::map<fs::path, int> counts_;
};

}  // namespace

TEST_CASE("a change below a watched folder is told with the path that was given", "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("one/app.py", "1");
  const auto zip = scratch.write("two.zip", "1");
  const auto folder = scratch.path() / "one" / "";
  Told told;
  CodeWatch watch(told.hear());
  REQUIRE(watch.watch(folder));
  REQUIRE(watch.watch(zip));
  told.await_after(folder, [&] { scratch.write("one/app.py", "2"); });
  told.await_after(folder, [&] { scratch.write("one/deep/er/x.py", "1"); });
  told.await_after(folder, [&] { scratch.write("one/deep/er/x.py", "2"); });
  CHECK(told.count(zip) == 0);
  told.await_after(zip, [&] { scratch.write("two.zip", "2"); });
}

TEST_CASE("a folder that is removed and built again goes on being watched", "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("build/dist/app.js", "1");
  const auto folder = scratch.path() / "build" / "dist";
  Told told;
  CodeWatch watch(told.hear());
  REQUIRE(watch.watch(folder));
  for (int round = 0; round < 20; ++round) {
    told.await_after(folder, [&] {
      fs::remove_all(round % 2 == 0 ? folder : folder.parent_path());
      scratch.write("build/dist/lib/app.js", "2");
    });
    told.await_after(folder, [&] { scratch.write("build/dist/lib/app.js", "3"); });
  }
}

TEST_CASE("a folder that was watched twice is told until it was forgotten twice", "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("a/file", "1");
  scratch.write("b/file", "1");
  const auto a = scratch.path() / "a";
  const auto b = scratch.path() / "b";
  Told told;
  CodeWatch watch(told.hear());
  REQUIRE(watch.watch(a));
  REQUIRE(watch.watch(a));
  REQUIRE(watch.watch(b));
  watch.forget(a);
  told.await_after(a, [&] { scratch.write("a/file", "2"); });
  watch.forget(a);
  watch.forget(a);
  const int before = told.count(a);
  scratch.write("a/file", "3");
  // Told after what came before it.
  told.await_after(b, [&] { scratch.write("b/file", "2"); });
  CHECK(told.count(a) == before);
  REQUIRE(watch.watch(a));
  told.await_after(a, [&] { scratch.write("a/file", "4"); });
}

TEST_CASE("what is told of a change may watch and forget", "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("a/file", "1");
  scratch.write("b/file", "1");
  const auto a = scratch.path() / "a";
  const auto b = scratch.path() / "b";
  Told told;
  const auto hear = told.hear();
  CodeWatch* itself = nullptr;
  CodeWatch watch([&](const fs::path& folder) {
    if (folder == a) {
      itself->forget(a);
      if (!itself->watch(b)) return;
    }
    hear(folder);
  });
  itself = &watch;
  REQUIRE(watch.watch(a));
  told.await_after(a, [&] { scratch.write("a/file", "2"); });
  told.await_after(b, [&] { scratch.write("b/file", "2"); });
  CHECK(told.count(a) == 1);
}

TEST_CASE("a watch that is refused changes nothing", "[code_watch]") {
  const tests::ScratchFolder scratch;
  Told told;
  CodeWatch watch(told.hear());
  const auto refused = watch.watch(scratch.path() / "later");
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == CodePackageError::Kind::missing);
  scratch.write("later/file", "1");
  REQUIRE(watch.watch(scratch.path() / "later"));
  CHECK(told.count(scratch.path() / "later") == 0);
}

TEST_CASE("many threads watch, change and forget folders at once", "[code_watch]") {
  const tests::ScratchFolder scratch;
  Told told;
  CodeWatch watch(told.hear());
  std::vector<std::jthread> threads;
  for (int thread = 0; thread < 6; ++thread) {
    threads.emplace_back([&, thread] {
      const auto name = std::to_string(thread / 2);  // two share one
      for (int i = 0; i < 30; ++i) {
        scratch.write(name + "/" + std::to_string(thread) + "/file", "1");
        if (!watch.watch(scratch.path() / name)) continue;
        told.await_after(scratch.path() / name, [&] {
          scratch.write(name + "/" + std::to_string(thread) + "/file", "2");
        });
        watch.forget(scratch.path() / name);
      }
    });
  }
  threads.clear();
  CHECK(told.count(scratch.path() / "0") >= 30);
}
