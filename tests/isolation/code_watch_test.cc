// A kernel that watches no more, for which a user namespace has limits of its own.
#include "emulator/functions/code_watch.h"

#include "emulator/functions/folder_watches.h"
#include "tests/support/forked_child.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <sched.h>

#include <fstream>
#include <string>

using namespace emulator::functions;
using tests::ForkedChild;

namespace {

enum Told : std::int64_t { no_namespace = -1, wrong = 0, right = 1 };

bool limit(const char* name, int value) {
  std::ofstream file(std::string("/proc/sys/user/") + name);
  file << value << std::flush;
  return file.good();
}

bool names(const tl::expected<void, CodePackageError>& done, const char* sysctl) {
  return !done && done.error().kind == CodePackageError::Kind::host &&
         done.error().message.find(sysctl) != std::string::npos;
}

// Runs the body where the limit holds.
Told told_under(const char* name, int value, const std::function<bool()>& body) {
  const ForkedChild child([&](const ForkedChild::Tell& tell) {
    if (::unshare(CLONE_NEWUSER) != 0 || !limit(name, value)) return tell(no_namespace);
    tell(body() ? right : wrong);
  });
  const auto told = static_cast<Told>(child.next().value_or(wrong));
  if (told == no_namespace) SKIP("SKIPPED: no user namespace can be made here");
  return told;
}

}  // namespace

TEST_CASE("more folders than the kernel watches are refused with the name of the limit",
          "[code_watch]") {
  const tests::ScratchFolder scratch;
  for (int i = 0; i < 60; ++i) scratch.write("many/" + std::to_string(i) + "/file", "1");
  scratch.write("few/a/file", "1");
  const auto told = told_under("max_inotify_watches", 40, [&] {
    CodeWatch watch([](const auto&) {});
    // What the refused one had is given back.
    return names(watch.watch(scratch.path() / "many"), "fs.inotify.max_user_watches") &&
           watch.watch(scratch.path() / "few").has_value();
  });
  CHECK(told == right);
}

TEST_CASE("folders that came later than the kernel's last watch are told, and watched once it can",
          "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("fn/file", "1");
  const std::string root = scratch.path() / "fn";
  const auto told = told_under("max_inotify_watches", 20, [&] {
    FolderWatches watches;
    if (!watches.add(root)) return false;
    for (int i = 0; i < 30; ++i) scratch.write("fn/" + std::to_string(i) + "/file", "1");
    auto changes = watches.read_changes();
    if (!changes.changed.contains(root) || !changes.incomplete.contains(root)) return false;
    if (!limit("max_inotify_watches", 1000)) return false;
    scratch.write("fn/file", "2");
    changes = watches.read_changes();
    if (!changes.changed.contains(root) || !changes.incomplete.empty()) return false;
    for (int i = 0; i < 30; ++i) {
      scratch.write("fn/" + std::to_string(i) + "/file", "2");
      if (!watches.read_changes().changed.contains(root)) return false;
    }
    return true;
  });
  CHECK(told == right);
}

TEST_CASE("no more inotify instances is an error with the name of the limit", "[code_watch]") {
  const tests::ScratchFolder scratch;
  const auto told = told_under("max_inotify_instances", 0, [&] {
    CodeWatch watch([](const auto&) {});
    return names(watch.watch(scratch.path()), "fs.inotify.max_user_instances");
  });
  CHECK(told == right);
}
