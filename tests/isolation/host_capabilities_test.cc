#include "emulator/sandbox/host_capabilities.h"

#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/unique_fd.h"

#include <catch2/catch_test_macros.hpp>

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace emulator::sandbox;

constexpr uid_t kNobody = 65'534;

// Runs `body` in a child, as another user where one is given, and returns what it wrote.
std::string told_by_child(const std::function<std::string()>& body, uid_t user) {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (user != ::geteuid() && (::setgid(user) != 0 || ::setuid(user) != 0)) ::_exit(1);
    // Changing the user took away what a program of that user's own would have.
    if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) ::_exit(1);
    const auto text = body();
    ::_exit(::write(writing.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size())
                ? 0
                : 1);
  }
  writing.reset();
  std::string text;
  std::array<char, 4096> part{};
  for (ssize_t got = 0; (got = ::read(reading.get(), part.data(), part.size())) > 0;) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
  return text;
}

bool succeeds(const std::string& command, uid_t user) {
  return told_by_child(
             [&] {
               // NOLINTNEXTLINE(concurrency-mt-unsafe): this child has one thread
               const int status = std::system((command + " >/dev/null 2>&1").c_str());
               return std::string(status == 0 ? "yes" : "no");
             },
             user) == "yes";
}

// Root of a user namespace, for one, may not.
bool can_become_nobody() {
  return succeeds("setpriv --reuid 65534 --regid 65534 --clear-groups true", ::geteuid());
}

// A probe as that user: "name=1" for what can be had, one a line, and the folders for groups.
std::vector<std::string> probe_as(uid_t user) {
  const auto text = told_by_child(
      [] {
        const auto host = probe_host();
        std::ostringstream out;
        const auto tell = [&](const char* name, const std::string& refused) {
          out << name << "=" << refused.empty() << "\n";
        };
        tell("namespaces", host.no_namespaces);
        tell("cgroup namespace", host.no_cgroup_namespace);
        tell("network namespace", host.no_network_namespace);
        tell("new proc", host.no_new_proc);
        tell("overlay", host.no_overlay);
        tell("function user", host.no_function_user);
        for (const auto& place :
             {host.cgroups.memory, host.cgroups.cpu, host.cgroups.freezer, host.cgroups.pids}) {
          out << "group=" << (place ? place->folder : "") << "\n";
        }
        return out.str();
      },
      user);
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool says(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

// What util-linux achieves, which asks the kernel on a way of its own.
void check_against_util_linux(uid_t user) {
  const auto probed = probe_as(user);
  const bool direct = says(probed, "function user=1");
  const std::string unshare =
      std::string("unshare --fork --mount --pid --ipc --uts") + (direct ? "" : " --map-root-user");
  const auto agrees = [&](const std::string& name, const std::string& command) {
    CAPTURE(user, name, command);
    CHECK(says(probed, name + "=1") == succeeds(command, user));
  };
  agrees("namespaces", unshare + " mount -t tmpfs none /mnt");
  agrees("cgroup namespace", unshare + " --cgroup true");
  agrees("network namespace", unshare + " --net true");
  agrees("new proc", unshare + " mount -t proc none /proc");
  agrees("overlay",
         unshare +
             " sh -c 'mount -t tmpfs none /mnt && cd /mnt && mkdir l u w m && "
             "mount -t overlay none m -o lowerdir=l,upperdir=u,workdir=w'");
  agrees("function user",
         "unshare --fork --mount --pid setpriv --reuid 993 --regid 990 --clear-groups true");
}

TEST_CASE("what the probe says of namespaces is so for the user of this run", "[probe]") {
  if (std::system("command -v unshare setpriv >/dev/null") != 0) {
    SKIP("SKIPPED: unshare and setpriv of util-linux are not installed");
  }
  check_against_util_linux(::geteuid());
}

TEST_CASE("what the probe says of namespaces is so for an ordinary user", "[probe]") {
  if (std::system("command -v unshare setpriv >/dev/null") != 0) {
    SKIP("SKIPPED: unshare and setpriv of util-linux are not installed");
  }
  if (!can_become_nobody()) SKIP("SKIPPED: the user of this run cannot become another one");
  check_against_util_linux(kNobody);
}

// Makes a group in `folder`, goes into it and out again, and removes it.
std::string try_group(const std::string& folder) {
  const auto group = folder + "/hearth-probe-" + std::to_string(::getpid());
  if (::mkdir(group.c_str(), 0700) != 0) return "no group";
  const auto enter = [](const std::string& where) {
    return static_cast<bool>(std::ofstream(where + "/cgroup.procs") << "0" << std::flush);
  };
  const auto child = ::fork();
  if (child == 0) ::_exit(enter(group) ? 0 : 1);
  int status = 1;
  ::waitpid(child, &status, 0);
  // The group empties a moment after its last process was reaped.
  while (::rmdir(group.c_str()) != 0 && errno == EBUSY) {
  }
  return status == 0 ? "entered" : "not entered";
}

TEST_CASE("in every place that the probe found a group can be made and entered", "[probe]") {
  for (const auto user : {::geteuid(), kNobody}) {
    if (user != ::geteuid() && !can_become_nobody()) continue;
    for (const auto& line : probe_as(user)) {
      if (line.rfind("group=/", 0) != 0) continue;
      const auto folder = line.substr(line.find('=') + 1);
      CAPTURE(user, folder);
      CHECK(told_by_child([&] { return try_group(folder); }, user) == "entered");
    }
  }
}

TEST_CASE("probing leaves no process, mount or group behind", "[probe]") {
  const auto mounts = [] {
    std::ifstream in("/proc/self/mountinfo");
    return std::string(std::istreambuf_iterator<char>(in), {});
  };
  const auto before = mounts();
  const auto children = process_tree(::getpid());
  probe_host();
  CHECK(mounts() == before);
  CHECK(process_tree(::getpid()) == children);
}

}  // namespace
