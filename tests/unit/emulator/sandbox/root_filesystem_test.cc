#include "emulator/sandbox/root_filesystem.h"

#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

using namespace emulator::sandbox;
namespace fs = std::filesystem;
using Kind = FilesystemStep::Kind;
using Steps = std::vector<FilesystemStep>;

namespace {

// Canonical, for sources are.
class Host {
 public:
  Host() : root_(fs::canonical(folder_.path())) {}
  std::string folder(const std::string& name, fs::perms mode = fs::perms(0755)) const {
    fs::create_directories(root_ / name);
    fs::permissions(root_ / name, mode);
    return (root_ / name).string();
  }
  std::string file(const std::string& name) const {
    folder_.write(name, "content");
    return (root_ / name).string();
  }

 private:
  tests::ScratchFolder folder_;
  fs::path root_;
};

// The place of the last step at the target; the number of steps where there is none.
std::size_t place(const Steps& steps, const std::string& target) {
  const auto found = std::find_if(steps.rbegin(), steps.rend(), [&](const FilesystemStep& step) {
    return step.target == target;
  });
  return found == steps.rend() ? steps.size() : static_cast<std::size_t>(steps.rend() - found - 1);
}

FilesystemStep step_at(const Steps& steps, const std::string& target) {
  INFO(target);
  REQUIRE(place(steps, target) < steps.size());
  return steps[place(steps, target)];
}

bool has(const Steps& steps, const std::string& target) {
  return place(steps, target) < steps.size();
}

Steps plan(const std::vector<RootView::Folder>& folders, const RootOptions& options = {}) {
  RootView view;
  view.folders = folders;
  return plan_root(view, options);
}

}  // namespace

TEST_CASE("every step's parent is made before it, and nothing inside what is read-only",
          "[sandbox]") {
  const Host host;
  host.file("layers/python/module.py");
  const auto steps = plan({{host.folder("deep"), "/srv/a/b/c"},
                           {host.folder("layers"), "/opt"},
                           {host.folder("python"), "/opt/python-3.12"}});
  std::set<std::string> made = {"", "/"};
  std::vector<std::string> closed;
  for (const auto& step : steps) {
    INFO(step.target);
    if (!step.target.empty()) {
      CHECK(made.count(fs::path(step.target).parent_path().string()) == 1);
    }
    for (const auto& folder : closed) CHECK_FALSE(step.target.starts_with(folder + "/"));
    made.insert(step.target);
    if (step.kind == Kind::bind_read_only || step.kind == Kind::bind_opened) {
      closed.push_back(step.target);
    }
  }
}

TEST_CASE("the root becomes read-only when everything stands in it", "[sandbox]") {
  const auto steps = plan({});
  CHECK(steps.back() == FilesystemStep{.kind = Kind::read_only, .source = "", .target = ""});
}

TEST_CASE("system folders are bound read-only, or stay the links that they are", "[sandbox]") {
  const auto steps = plan({});
  CHECK(step_at(steps, "/usr").kind == Kind::bind_read_only);
  for (const std::string name : {"/bin", "/lib"}) {
    CHECK(step_at(steps, name).kind == (fs::is_symlink(name) ? Kind::link : Kind::bind_read_only));
  }
  for (const auto* absent : {"/home", "/etc/shadow", "/sys", "/run", "/boot"}) {
    INFO(absent);
    CHECK_FALSE(has(steps, absent));
  }
}

TEST_CASE("the function's user and its own name are known", "[sandbox]") {
  const auto steps = plan({});
  CHECK(step_at(steps, "/etc/passwd").source.find("sbx_user1051:x:993:990:") != std::string::npos);
  CHECK(step_at(steps, "/etc/group").source.find("sbx_user1051:x:990:") != std::string::npos);
  CHECK(step_at(steps, "/etc/hosts")
            .source.starts_with("127.0.0.1 localhost sandbox.localdomain sandbox\n"));
}

TEST_CASE("devices are the five harmless ones, and there is no shared memory", "[sandbox]") {
  const auto steps = plan({});
  std::set<std::string> devices;
  for (const auto& step : steps) {
    if (step.target.starts_with("/dev/") && step.kind == Kind::bind) devices.insert(step.target);
  }
  CHECK(devices == std::set<std::string>{
                       "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom"});
  CHECK_FALSE(has(steps, "/dev/shm"));
  CHECK(step_at(steps, "/dev/stdout").source == "/proc/self/fd/1");
}

TEST_CASE("/tmp is a file system of the wanted size that everyone may write", "[sandbox]") {
  RootView view;
  view.temporary_bytes = 12'345'678;
  const auto step = step_at(plan_root(view, {}), "/tmp");
  CHECK(step.kind == Kind::temporary);
  CHECK(step.bytes == 12'345'678);
  CHECK(step.mode == 01777);
}

TEST_CASE("/proc is new, or missing where it cannot be", "[sandbox]") {
  CHECK(step_at(plan({}), "/proc").kind == Kind::proc);
  CHECK_FALSE(has(plan({}, {.proc = RootOptions::Proc::none}), "/proc"));
}

TEST_CASE("folders and single files are bound read-only where they are seen", "[sandbox]") {
  const Host host;
  const auto task = host.folder("task");
  const auto tool = host.file("tools/server");
  const auto steps = plan({{task, "/var/task"}, {tool, tool}});
  CHECK(step_at(steps, "/var/task") ==
        FilesystemStep{.kind = Kind::bind_read_only, .source = task, .target = "/var/task"});
  CHECK(step_at(steps, tool).kind == Kind::bind_read_only);
  CHECK(steps[place(steps, tool) - 1].kind == Kind::file);
}

TEST_CASE("sources are free of links", "[sandbox]") {
  const Host host;
  const auto task = host.folder("task");
  const auto link = fs::path(task).parent_path() / "link";
  fs::create_directory_symlink(task, link);
  CHECK(step_at(plan({{link.string(), "/var/task"}}), "/var/task").source == task);
}

TEST_CASE("a folder that only its owner may read is opened for others", "[sandbox]") {
  const Host host;
  const auto closed = host.folder("closed", fs::perms(0700));
  const auto listed = host.folder("listed", fs::perms(0744));
  const auto open = host.folder("open", fs::perms(0755));
  const RootOptions as_other{.reader = RootOptions::Reader::other};
  CHECK(step_at(plan({{closed, "/var/task"}}, as_other), "/var/task").kind == Kind::bind_opened);
  CHECK(step_at(plan({{listed, "/var/task"}}, as_other), "/var/task").kind == Kind::bind_opened);
  CHECK(step_at(plan({{open, "/var/task"}}, as_other), "/var/task").kind == Kind::bind_read_only);
  CHECK(step_at(plan({{closed, "/var/task"}}), "/var/task").kind == Kind::bind_read_only);
}

TEST_CASE("a folder that holds another is bound entry by entry", "[sandbox]") {
  const Host host;
  host.file("layers/python/module.py");
  host.file("layers/bootstrap");
  const auto layers = host.folder("layers");
  const auto python = host.folder("python-3.12");
  const auto steps = plan({{python, "/opt/python-3.12"}, {layers, "/opt"}});
  CHECK(step_at(steps, "/opt").kind == Kind::folder);
  CHECK(step_at(steps, "/opt/python").source == layers + "/python");
  CHECK(step_at(steps, "/opt/bootstrap").source == layers + "/bootstrap");
  CHECK(step_at(steps, "/opt/python-3.12").source == python);
}

TEST_CASE("a folder deep inside another leaves room for itself", "[sandbox]") {
  const Host host;
  host.file("layers/python/lib/module.py");
  const auto layers = host.folder("layers");
  const auto inner = host.folder("interpreter");
  const auto steps = plan({{layers, "/opt"}, {inner, "/opt/python/3.12"}});
  CHECK(step_at(steps, "/opt/python").kind == Kind::folder);
  CHECK(step_at(steps, "/opt/python/lib").source == layers + "/python/lib");
  CHECK(step_at(steps, "/opt/python/3.12").source == inner);
}

TEST_CASE("a name that begins like another is not inside it", "[sandbox]") {
  const Host host;
  const auto one = host.folder("one");
  const auto two = host.folder("two");
  CHECK(step_at(plan({{one, "/srv/a"}, {two, "/srv/ab"}}), "/srv/a").source == one);
}

TEST_CASE("a folder that every sandbox sees is not bound again", "[sandbox]") {
  CHECK_FALSE(has(plan({{"/usr/bin", "/usr/bin"}}), "/usr/bin"));
  CHECK(is_system_path("/usr"));
  CHECK(is_system_path("/usr/local/bin/node"));
  CHECK_FALSE(is_system_path("/usrlocal"));
  CHECK_FALSE(is_system_path("/opt/python"));
}

TEST_CASE("an image is the root, with its own users and the function's folders", "[sandbox]") {
  const Host host;
  RootView view;
  view.image = host.folder("image");
  view.folders = {{host.folder("task"), "/var/task"}, {"/usr", "/usr"}};
  const auto steps = plan_root(view, {});
  CHECK(steps.front() == FilesystemStep{.kind = Kind::image, .source = view.image, .target = ""});
  CHECK_FALSE(has(steps, "/etc/passwd"));
  CHECK(has(steps, "/etc/hosts"));
  CHECK(has(steps, "/var/task"));
  CHECK(has(steps, "/usr"));  // asked for by name, for the image's is another one
  CHECK_FALSE(has(steps, "/bin"));
}

TEST_CASE("what separates mount options is escaped in a path", "[sandbox]") {
  CHECK(escaped_in_mount_options("/plain/path with space") == "/plain/path with space");
  CHECK(escaped_in_mount_options("/a:b,c\\d") == "/a\\:b\\,c\\\\d");
}
