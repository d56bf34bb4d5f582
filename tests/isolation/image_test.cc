// Unpacked images as the root of a sandbox: their own files are seen, what Hearth adds is there,
// and neither is the image changed nor does anything in it lead to the host.
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/host_requirements.h"
#include "tests/support/scratch_folder.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kTestees = HEARTH_BINARY_DIR "/handlers/testees";

// Every path with what can be told of it without following links.
std::map<std::string, std::string> snapshot(const fs::path& folder) {
  std::map<std::string, std::string> found;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    struct stat status {};
    REQUIRE(::lstat(entry.path().c_str(), &status) == 0);
    auto text = std::to_string(status.st_mode) + " " + std::to_string(status.st_uid) + " " +
                std::to_string(status.st_mtim.tv_sec) + "." +
                std::to_string(status.st_mtim.tv_nsec) + " ";
    if (S_ISLNK(status.st_mode)) text += fs::read_symlink(entry.path()).string();
    if (S_ISREG(status.st_mode)) {
      std::ifstream file(entry.path(), std::ios::binary);
      text.append(std::istreambuf_iterator<char>(file), {});
    }
    found[entry.path().string()] = std::move(text);
  }
  return found;
}

// As small as one can be: a program, and a link to it that is absolute, as in real ones.
class Image : public tests::ScratchFolder {
 public:
  Image() {
    ::chmod(path().c_str(), 0755);
    fs::copy_file(std::string(kTestees) + "/bootstrap", path() / "program");
    ::chmod((path() / "program").c_str(), 0755);
    fs::create_directories(path() / "tools");
    fs::create_symlink("/program", path() / "tools" / "tool");
    write("etc/issue", "an image");
    write("var/task/own", "the image's own code");
  }
  SandboxRequest request() const {
    SandboxRequest request;
    request.memory_bytes = 128ULL << 20;
    request.view.image = path().string();
    return request;
  }
};

StartRequest tool(const std::string& mode, const std::vector<std::string>& variables = {}) {
  auto start = testee_start(mode, variables);
  start.program.argv = {"tool"};
  start.program.environment = variables;
  start.program.environment.push_back("TESTEE_MODE=" + mode);
  start.program.environment.emplace_back("PATH=/nowhere:/tools");
  start.program.working_folder = "/";
  return start;
}

std::vector<std::string> attempts_in(const SandboxRequest& request, const json& event) {
  return SandboxedTestee(tool("attempts", {"TESTEE_EVENT=" + event.dump()}), request).answer();
}

json act(const std::string& name, const std::string& target) {
  return {{"act", name}, {"target", target}};
}

void requires_images() {
  tests::requires_own_proc();
  if (!tests::host().no_overlay.empty()) {
    SKIP("SKIPPED: needs overlay file systems; " << tests::host().no_overlay);
  }
}

std::string refusal_of(const SandboxRequest& request) {
  const auto made = launcher().make(request);
  REQUIRE_FALSE(made);
  return made.error().message;
}

}  // namespace

TEST_CASE("an image is the root, read-only, and is left as it was", "[image]") {
  requires_images();
  const Image image;
  const tests::ScratchFolder host;
  const auto secret = host.write("secret", "of the host");
  const auto before = snapshot(image.path());
  const auto results = attempts_in(image.request(),
                                   {act("content", "/etc/issue"),
                                    act("content", "/var/task/own"),
                                    act("read", secret),
                                    act("read", "/usr"),
                                    act("create", "/made"),
                                    act("write", "/etc/issue"),
                                    act("create", "/var/task/made"),
                                    act("create", "/tmp/made"),
                                    act("read", "/dev/zero"),
                                    act("read", "/proc/self/status"),
                                    act("content", "/etc/hosts")});
  INFO(json(results).dump(1));
  CHECK(results[0] == "an image");
  CHECK(results[1] == "the image's own code");
  CHECK(results[2] == "ENOENT");
  CHECK(results[3] == "ENOENT");
  CHECK(results[4] != "done");
  CHECK(results[5] != "done");
  CHECK(results[6] != "done");
  CHECK(results[7] == "done");
  CHECK(results[8] == "done");
  CHECK(results[9] == "done");
  CHECK(results[10].find("sandbox.localdomain") != std::string::npos);
  CHECK(snapshot(image.path()) == before);
}

TEST_CASE("code and layers are seen over an image, read-only", "[image]") {
  requires_images();
  const Image image;
  const tests::ScratchFolder code;
  ::chmod(code.path().c_str(), 0755);
  code.write("code", "the function's");
  auto request = image.request();
  request.view.folders = {{.host = code.path().string(), .seen = "/var/task"},
                          {.host = code.path().string(), .seen = "/opt"}};
  const auto before = snapshot(image.path());
  const auto results = attempts_in(request,
                                   {act("content", "/var/task/code"),
                                    act("content", "/opt/code"),
                                    act("read", "/var/task/own"),
                                    act("create", "/var/task/made")});
  INFO(json(results).dump(1));
  CHECK(results[0] == "the function's");
  CHECK(results[1] == "the function's");
  CHECK(results[2] == "ENOENT");
  CHECK(results[3] != "done");
  CHECK(snapshot(image.path()) == before);
}

TEST_CASE("a program that only the host has is not found in an image", "[image]") {
  requires_images();
  const Image image;
  auto start = tool("attempts");
  start.program.argv = {"ls"};
  start.program.environment = {"PATH=/usr/bin:/bin"};
  auto made = launcher().make(image.request());
  REQUIRE(made);
  const auto started = (*made)->start(start);
  REQUIRE_FALSE(started);
  CHECK(started.error().kind == SandboxError::Kind::entrypoint);
  CHECK(started.error().error_number == ENOENT);
}

TEST_CASE("links in an image lead nothing of ours to the host", "[image]") {
  requires_images();
  const tests::ScratchFolder victim;
  for (const auto* name : {"hosts", "task", "null", "resolv.conf", "fd"})
    victim.write(name, "mine");
  const auto before = snapshot(victim.path());
  for (const std::string target : {"/etc",
                                   "/etc/hosts",
                                   "/etc/resolv.conf",
                                   "/tmp",
                                   "/proc",
                                   "/dev",
                                   "/dev/null",
                                   "/var",
                                   "/var/task"}) {
    // A host without names has none to show.
    if (target == "/etc/resolv.conf" && !fs::exists(target)) continue;
    for (const std::string prefix : {"", "/host", "../../../../../host"}) {
      const Image image;
      const auto place = image.path() / target.substr(1);
      fs::remove_all(place);
      fs::create_directories(place.parent_path());
      fs::create_symlink(prefix + victim.path().string(), place);
      auto request = image.request();
      request.view.folders = {{.host = kTestees, .seen = "/var/task"}};
      const auto message = refusal_of(request);
      INFO(target << " by " << prefix << ": " << message);
      CHECK(message.find("symbolic link at or above " + target) != std::string::npos);
      CHECK(snapshot(victim.path()) == before);
    }
  }
}

TEST_CASE("a pipe in an image holds nobody up", "[image]") {
  requires_images();
  const Image image;
  REQUIRE(::mkfifo((image.path() / "etc/hosts").c_str(), 0644) == 0);
  const auto message = refusal_of(image.request());
  INFO(message);
  CHECK(message.find("/etc/hosts") != std::string::npos);
}
