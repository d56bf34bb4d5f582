// The kernel has queued its events when the call that caused them returns, so nothing here waits.
#include "emulator/functions/folder_watches.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

using namespace emulator::functions;
using Roots = FolderWatches::Roots;
namespace fs = std::filesystem;

namespace {

// All that was told until now.
Roots changed(FolderWatches& watches) {
  Roots all;
  while (true) {
    const auto changes = watches.read_changes();
    CHECK(changes.incomplete.empty());
    if (changes.changed.empty()) return all;
    all.insert(changes.changed.begin(), changes.changed.end());
  }
}

// Relative paths begin here while it lives.
struct InFolder {
  explicit InFolder(const fs::path& folder) { fs::current_path(folder); }
  ~InFolder() { fs::current_path(before); }
  InFolder(const InFolder&) = delete;
  InFolder& operator=(const InFolder&) = delete;
  fs::path before = fs::current_path();
};

// A project whose built code is watched.
struct Project {
  Project() {
    scratch.write("build/fn/app.py", "1");
    scratch.write("build/fn/lib/deep/x.py", "1");
    REQUIRE(watches.add(root));
    REQUIRE(changed(watches).empty());
  }

  bool change_is_told() { return changed(watches) == Roots{root}; }

  tests::ScratchFolder scratch;
  std::string root = scratch.path() / "build" / "fn";
  FolderWatches watches;
};

}  // namespace

TEST_CASE("each kind of change below a watched folder is told", "[code_watch]") {
  Project project;
  const fs::path root = project.root;
  SECTION("written") { project.scratch.write("build/fn/app.py", "2"); }
  SECTION("written deep below") { project.scratch.write("build/fn/lib/deep/x.py", "2"); }
  SECTION("made") { project.scratch.write("build/fn/new.py", "1"); }
  SECTION("removed") { fs::remove(root / "app.py"); }
  SECTION("renamed") { fs::rename(root / "app.py", root / "b.py"); }
  SECTION("renamed into it") {
    fs::rename(project.scratch.write("outside.py", "1"), root / "app.py");
  }
  SECTION("another mode") { fs::permissions(root / "app.py", fs::perms::owner_all); }
  SECTION("another mode of the folder itself") { fs::permissions(root, fs::perms::owner_all); }
  SECTION("a link turned") { fs::create_symlink("app.py", root / "link"); }
  SECTION("a folder made") { fs::create_directory(root / "new"); }
  SECTION("a folder removed") { fs::remove_all(root / "lib"); }
  CHECK(project.change_is_told());
}

TEST_CASE("a write is told before the file is closed", "[code_watch]") {
  Project project;
  const int file = ::open((project.root + "/app.py").c_str(), O_WRONLY | O_CLOEXEC);
  REQUIRE(file >= 0);
  REQUIRE(::write(file, "2", 1) == 1);
  CHECK(project.change_is_told());
  ::close(file);
}

TEST_CASE("reading a watched folder, and changing what is beside it, is no change",
          "[code_watch]") {
  Project project;
  CHECK(project.scratch.read("build/fn/app.py") == "1");
  for (const auto& entry : fs::recursive_directory_iterator(project.root)) (void)entry.status();
  project.scratch.write("build/other/app.py", "1");
  project.scratch.write("readme", "1");
  CHECK(changed(project.watches).empty());
}

TEST_CASE("what an interpreter compiles beside the code is no change", "[code_watch]") {
  Project project;
  project.scratch.write("build/fn/__pycache__/app.pyc", "1");
  project.scratch.write("build/fn/__pycache__/app.pyc", "2");
  project.scratch.write("build/fn/lib/__pycache__/x.pyc", "1");
  fs::remove_all(fs::path(project.root) / "lib/__pycache__");
  CHECK(changed(project.watches).empty());
}

TEST_CASE("folders that come later are watched with all that is in them", "[code_watch]") {
  Project project;
  SECTION("made with content before anybody looked") {
    project.scratch.write("build/fn/new/deep/er/y.py", "1");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/new/deep/er/y.py", "2");
    CHECK(project.change_is_told());
  }
  SECTION("moved in") {
    project.scratch.write("elsewhere/deep/y.py", "1");
    fs::rename(project.scratch.path() / "elsewhere", fs::path(project.root) / "new");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/new/deep/y.py", "2");
    CHECK(project.change_is_told());
  }
  SECTION("moved within") {
    fs::rename(fs::path(project.root) / "lib", fs::path(project.root) / "lib2");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/lib2/deep/x.py", "2");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/lib2/deep/new/z.py", "1");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/lib2/deep/new/z.py", "2");
    CHECK(project.change_is_told());
  }
  SECTION("made, moved and made again under the first name") {
    project.scratch.write("build/fn/a/x", "1");
    fs::rename(fs::path(project.root) / "a", fs::path(project.root) / "b");
    project.scratch.write("build/fn/a/x", "1");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/a/x", "2");
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/b/x", "2");
    CHECK(project.change_is_told());
  }
}

TEST_CASE("a folder that was moved out is watched no more", "[code_watch]") {
  Project project;
  fs::rename(fs::path(project.root) / "lib", project.scratch.path() / "gone");
  CHECK(project.change_is_told());
  project.scratch.write("gone/deep/x.py", "2");
  CHECK(changed(project.watches).empty());
}

TEST_CASE("a folder that is replaced under its name goes on being watched", "[code_watch]") {
  Project project;
  const fs::path root = project.root;
  const auto build = project.scratch.path() / "build";
  SECTION("removed and built again") {
    fs::remove_all(root);
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/app.py", "2");
  }
  SECTION("removed and built again before anybody looked") {
    fs::remove_all(root);
    project.scratch.write("build/fn/app.py", "2");
  }
  SECTION("renamed away and a new one put there") {
    project.scratch.write("build/fn.new/app.py", "2");
    fs::rename(root, build / "fn.old");
    fs::rename(build / "fn.new", root);
  }
  SECTION("with the folder above it") {
    fs::remove_all(build);
    CHECK(project.change_is_told());
    project.scratch.write("build/fn/app.py", "2");
  }
  SECTION("by another folder above it") {
    project.scratch.write("build.new/fn/app.py", "2");
    fs::rename(build, project.scratch.path() / "build.old");
    fs::rename(project.scratch.path() / "build.new", build);
  }
  CHECK(project.change_is_told());
  project.scratch.write("build/fn/app.py", "3");
  CHECK(project.change_is_told());
  project.scratch.write("build/fn/lib/new.py", "3");
  CHECK(project.change_is_told());
  project.scratch.write("build/fn.old/app.py", "3");
  project.scratch.write("build.old/fn/app.py", "3");
  CHECK(changed(project.watches).empty());
}

TEST_CASE("a link to the code is followed, wherever it is turned; links below it are not",
          "[code_watch]") {
  const tests::ScratchFolder scratch;
  scratch.write("one/app.py", "1");
  scratch.write("two/app.py", "1");
  scratch.write("outside/x.py", "1");
  fs::create_directory_symlink(scratch.path() / "outside", scratch.path() / "one/out");
  fs::create_directory_symlink("one", scratch.path() / "current");
  const std::string root = scratch.path() / "current";
  FolderWatches watches;
  REQUIRE(watches.add(root));
  scratch.write("one/app.py", "2");
  CHECK(changed(watches) == Roots{root});
  scratch.write("outside/x.py", "2");
  CHECK(changed(watches).empty());
  fs::create_directory_symlink("two", scratch.path() / "next");
  fs::rename(scratch.path() / "next", scratch.path() / "current");
  CHECK(changed(watches) == Roots{root});
  scratch.write("one/app.py", "3");
  CHECK(changed(watches).empty());
  scratch.write("two/app.py", "3");
  CHECK(changed(watches) == Roots{root});
}

TEST_CASE("a single file is watched, also when another takes its place", "[code_watch]") {
  const tests::ScratchFolder scratch;
  const auto root = scratch.write("fn.zip", "1");
  FolderWatches watches;
  REQUIRE(watches.add(root));
  scratch.write("fn.zip", "2");
  CHECK(changed(watches) == Roots{root});
  scratch.write("other.zip", "1");
  CHECK(changed(watches).empty());
  fs::rename(scratch.path() / "other.zip", root);
  CHECK(changed(watches) == Roots{root});
  scratch.write("fn.zip", "3");
  CHECK(changed(watches) == Roots{root});
  fs::remove(root);
  CHECK(changed(watches) == Roots{root});
  scratch.write("fn.zip", "4");
  CHECK(changed(watches) == Roots{root});
}

TEST_CASE("roots that overlap are told each, and are removed each by itself", "[code_watch]") {
  Project project;
  const std::string all = project.scratch.path() / "build";
  const std::string lib = project.root + "/lib";
  const std::string slash = project.root + "/";
  for (const auto& root : {all, lib, slash}) REQUIRE(project.watches.add(root));
  project.scratch.write("build/fn/lib/deep/x.py", "2");
  CHECK(changed(project.watches) == Roots{all, lib, project.root, slash});
  project.scratch.write("build/fn/app.py", "2");
  CHECK(changed(project.watches) == Roots{all, project.root, slash});
  project.watches.remove(all);
  project.watches.remove(project.root);
  project.watches.remove(project.root);
  project.scratch.write("build/fn/lib/deep/x.py", "3");
  CHECK(changed(project.watches) == Roots{lib, slash});
  project.watches.remove(lib);
  project.watches.remove(slash);
  project.scratch.write("build/fn/lib/deep/x.py", "4");
  CHECK(changed(project.watches).empty());
}

TEST_CASE("a path that is written in another way is the same folder", "[code_watch]") {
  Project project;
  for (const std::string root : {"build/fn", "./build/../build//fn/.", "build/fn/lib/.."}) {
    INFO(root);
    {
      const InFolder here(project.scratch.path());
      REQUIRE(project.watches.add(root));
    }
    project.scratch.write("build/fn/app.py", root);
    CHECK(changed(project.watches) == Roots{root, project.root});
    project.watches.remove(root);
  }
}

TEST_CASE("what does not exist cannot be watched", "[code_watch]") {
  FolderWatches watches;
  const auto done = watches.add("/nowhere/at/all");
  REQUIRE_FALSE(done.has_value());
  CHECK(done.error().kind == CodePackageError::Kind::missing);
}

TEST_CASE("when the kernel has lost count, everything is told and found again", "[code_watch]") {
  std::ifstream limit_file("/proc/sys/fs/inotify/max_queued_events");
  int limit = 0;
  REQUIRE(limit_file >> limit);
  if (limit > 100'000) SKIP("SKIPPED: the kernel queues " << limit << " events");
  Project project;
  const auto quiet = project.scratch.write("quiet/file", "1");
  REQUIRE(project.watches.add(quiet));
  for (int i = 0; i <= limit; ++i) {
    // The kernel takes equal events in a row for one.
    fs::permissions(project.root + "/app.py", fs::perms(0600 + i % 2 * 0100));
    fs::permissions(project.root + "/lib", fs::perms(0700 + i % 2 * 0050));
  }
  project.scratch.write("build/fn/unseen/y.py", "1");
  CHECK(changed(project.watches) == Roots{project.root, quiet});
  project.scratch.write("build/fn/unseen/y.py", "2");
  CHECK(project.change_is_told());
}
