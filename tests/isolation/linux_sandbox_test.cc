#include "emulator/sandbox/linux_sandbox.h"

#include "emulator/sandbox/process_tree.h"
#include "emulator/sandbox/unique_fd.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::sandbox;
namespace fs = std::filesystem;

namespace {

// A folder that goes with its test.
class Folder {
 public:
  Folder() {
    std::string name = (fs::temp_directory_path() / "hearth-sandbox-XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }

  std::string file(const std::string& name, const std::string& content, mode_t mode) const {
    const auto path = path_ / name;
    std::ofstream(path) << content;
    ::chmod(path.c_str(), mode);
    return path.string();
  }
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

StartRequest request(std::vector<std::string> argv) {
  StartRequest result;
  result.program.argv = std::move(argv);
  result.program.environment = {"PATH=/usr/bin:/bin"};
  result.program.working_folder = "/";
  return result;
}

StartRequest shell(const std::string& script) { return request({"/bin/sh", "-c", script}); }

// A sandbox and the one program that runs in it.
struct Running {
  std::unique_ptr<Sandbox> sandbox;
  std::unique_ptr<Process> process;

  Process& operator*() const { return *process; }
  Process* operator->() const { return process.get(); }
};

tl::expected<Running, SandboxError> try_launch(LinuxLauncher& launcher,
                                               const StartRequest& wanted) {
  auto sandbox = launcher.make({});
  if (!sandbox) return tl::unexpected(sandbox.error());
  auto process = (*sandbox)->start(wanted);
  if (!process) return tl::unexpected(process.error());
  return Running{std::move(*sandbox), std::move(*process)};
}

Running launch(LinuxLauncher& launcher, const StartRequest& wanted) {
  auto launched = try_launch(launcher, wanted);
  REQUIRE(launched);
  return std::move(*launched);
}

Exit await_exit(Process& process) {
  pollfd wait{.fd = process.exit_descriptor(), .events = POLLIN, .revents = 0};
  while (::poll(&wait, 1, -1) < 0 && errno == EINTR) {
  }
  const auto exit = process.exited();
  REQUIRE(exit);
  return *exit;
}

// Until `enough` is in it, or its end.
std::string read_output(Process& process, const std::string& enough = {}) {
  std::string text;
  std::array<char, 4096> buffer{};
  while (enough.empty() || text.find(enough) == std::string::npos) {
    pollfd wait{.fd = process.output_descriptor(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, -1) < 0) continue;
    const auto length = ::read(process.output_descriptor(), buffer.data(), buffer.size());
    if (length == 0) return text;
    if (length > 0) text.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return text;
}

std::string output_of(const StartRequest& wanted) {
  LinuxLauncher launcher;
  const auto running = launch(launcher, wanted);
  return read_output(*running);
}

SandboxError refusal_of(const StartRequest& wanted) {
  LinuxLauncher launcher;
  auto launched = try_launch(launcher, wanted);
  REQUIRE_FALSE(launched);
  return launched.error();
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::ptrdiff_t entries(const char* folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator());
}

// Ended, whether or not its new parent has reaped it.
bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  return text.empty() || mentions(text, ") Z ");
}

}  // namespace

TEST_CASE("a program gets the asked limits, its folder, its variables and nothing on stdin") {
  auto wanted = shell("ulimit -n; ulimit -c; ulimit -l; ulimit -s; pwd; echo $GREETING; cat");
  wanted.limits.open_files = 77;
  wanted.program.working_folder = "/usr";
  wanted.program.environment.emplace_back("GREETING=hello");
  CHECK(output_of(wanted) == "77\n0\n64\n8192\n/usr\nhello\n");
}

TEST_CASE("a program has the three standard descriptors and no other of the emulator's") {
  const UniqueFd leaked(::open("/dev/null", O_RDONLY));  // without close-on-exec, on purpose
  const auto open = output_of(shell("ls /proc/self/fd"));
  // ls opens the folder itself.
  CHECK(open == "0\n1\n2\n3\n");
}

TEST_CASE("both output streams arrive in the order of writing") {
  std::string script;
  std::string expected;
  for (int i = 0; i < 50; ++i) {
    script += "echo out" + std::to_string(i) + "; echo err" + std::to_string(i) + " >&2; ";
    expected += "out" + std::to_string(i) + "\nerr" + std::to_string(i) + "\n";
  }
  CHECK(output_of(shell(script)) == expected);
}

TEST_CASE("how a program ended is told again and again, until its sandbox goes") {
  LinuxLauncher launcher;
  const auto exits = launch(launcher, shell("exit 7"));
  CHECK(await_exit(*exits) == Exit{.code = 7, .signal = {}});
  CHECK(exits->exited() == Exit{.code = 7, .signal = {}});
  CHECK(::kill(exits->pid(), 0) == 0);  // not reaped, so the number is still ours
  const auto crashes = launch(launcher, shell("kill -SEGV $$"));
  CHECK(await_exit(*crashes) == Exit{.code = {}, .signal = SIGSEGV});
  const auto runs = launch(launcher, shell("read never < /dev/zero; sleep 1000"));
  CHECK_FALSE(runs->exited());
  runs->kill();
  runs->kill();
  CHECK(await_exit(*runs) == Exit{.code = {}, .signal = SIGKILL});
}

TEST_CASE("a grandchild in the group is killed with the program, also after it has ended") {
  LinuxLauncher launcher;
  auto sandbox = launch(launcher, shell("sleep 1000 & echo $!"));
  await_exit(*sandbox);
  const auto grandchild = static_cast<pid_t>(std::stoi(read_output(*sandbox, "\n")));
  CHECK_FALSE(is_gone(grandchild));
  sandbox.process.reset();
  while (!is_gone(grandchild)) std::this_thread::yield();
}

TEST_CASE("ignored and blocked signals of the emulator do not reach a program") {
  ::signal(SIGHUP, SIG_IGN);
  ::signal(SIGUSR1, SIG_IGN);
  // One that libc keeps for itself, as some parents ignore it.
  constexpr int kOfLibc = 32;
  const std::array<std::uint64_t, 4> ignored = {1, 0, 0, 0};
  REQUIRE(::syscall(SYS_rt_sigaction, kOfLibc, ignored.data(), nullptr, 8) == 0);
  const auto status = output_of(shell("grep -E 'SigIgn|SigBlk' /proc/self/status"));
  ::signal(SIGHUP, SIG_DFL);
  ::signal(SIGUSR1, SIG_DFL);
  const std::array<std::uint64_t, 4> standard{};
  ::syscall(SYS_rt_sigaction, kOfLibc, standard.data(), nullptr, 8);
  CHECK(status == "SigBlk:\t0000000000000000\nSigIgn:\t0000000000000000\n");
}

TEST_CASE("a program without a slash is looked up in PATH") {
  CHECK(output_of(request({"echo", "found"})) == "found\n");
  const auto error = refusal_of(request({"no-such-program-anywhere"}));
  CHECK(error.kind == SandboxError::Kind::entrypoint);
  CHECK(error.error_number == ENOENT);
}

TEST_CASE("what cannot be executed is refused with advice") {
  const Folder folder;
  const auto path = [&](const char* name) { return (folder.path() / name).string(); };
  const auto missing = refusal_of(request({path("bootstrap")}));
  CHECK(missing.kind == SandboxError::Kind::entrypoint);
  CHECK(missing.error_number == ENOENT);
  CHECK(mentions(missing.message, path("bootstrap")));
  CHECK(mentions(missing.message, "build or copy it there"));

  const auto plain = refusal_of(request({folder.file("plain", "#!/bin/sh\n", 0644)}));
  CHECK(plain.kind == SandboxError::Kind::entrypoint);
  CHECK(plain.error_number == EACCES);
  CHECK(mentions(plain.message, "chmod a+rx"));

  const auto lost = refusal_of(request({folder.file("lost", "#!/no/such/interpreter\n", 0755)}));
  CHECK(lost.kind == SandboxError::Kind::entrypoint);
  CHECK(lost.error_number == ENOENT);
  CHECK(mentions(lost.message, "interpreter"));

  const auto garbage = refusal_of(request({folder.file("garbage", "no program\n", 0755)}));
  CHECK(garbage.kind == SandboxError::Kind::entrypoint);
  CHECK(garbage.error_number == ENOEXEC);
  CHECK(mentions(garbage.message, "#!"));

  CHECK(refusal_of(request({})).kind == SandboxError::Kind::entrypoint);
}

TEST_CASE("a working folder that cannot be entered is told as such") {
  auto wanted = shell("true");
  wanted.program.working_folder = "/no/such/folder";
  const auto error = refusal_of(wanted);
  CHECK(error.kind == SandboxError::Kind::working_folder);
  CHECK(error.error_number == ENOENT);
  CHECK(mentions(error.message, "/no/such/folder"));
}

TEST_CASE("memory is summed over a program and its child, and the peak stays") {
  LinuxLauncher launcher;
  const auto sandbox =
      launch(launcher, shell("sleep 1000 & echo one; sleep 1000 & echo two; wait"));
  read_output(*sandbox, "two\n");
  const auto all = sandbox.sandbox->usage();
  CHECK(all.memory_bytes > 0);
  CHECK(all.peak_memory_bytes >= all.memory_bytes);
  const auto alone = launch(launcher, request({"sleep", "1000"}));
  CHECK(all.memory_bytes > alone.sandbox->usage().memory_bytes);
  sandbox->kill();
  await_exit(*sandbox);
  CHECK(sandbox.sandbox->usage().peak_memory_bytes == all.peak_memory_bytes);
}

TEST_CASE("launches leave neither a descriptor nor a zombie") {
  const auto before = entries("/proc/self/fd");
  const auto children = process_tree(::getpid());
  auto owned = std::make_unique<LinuxLauncher>();
  auto& launcher = *owned;
  for (int i = 0; i < 200; ++i) {
    if (i % 2 == 0) {
      await_exit(*launch(launcher, request({"true"})));
    } else {
      REQUIRE_FALSE(try_launch(launcher, request({"/no/such/program"})));
    }
  }
  owned.reset();
  CHECK(entries("/proc/self/fd") == before);
  CHECK(process_tree(::getpid()) == children);
}

TEST_CASE("a program does not outlive an emulator that is killed") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const UniqueFd reading(ends[0]);
  UniqueFd writing(ends[1]);
  const pid_t emulator = ::fork();
  REQUIRE(emulator >= 0);
  if (emulator == 0) {
    LinuxLauncher launcher;
    auto launched = try_launch(launcher, request({"sleep", "1000"}));
    const pid_t pid = launched ? launched->process->pid() : 0;
    [[maybe_unused]] const auto written = ::write(writing.get(), &pid, sizeof(pid));
    ::pause();
    ::_exit(0);
  }
  writing.reset();
  pid_t program = 0;
  REQUIRE(::read(reading.get(), &program, sizeof(program)) == sizeof(program));
  REQUIRE(program > 0);
  CHECK_FALSE(is_gone(program));
  ::kill(emulator, SIGKILL);
  ::waitpid(emulator, nullptr, 0);
  while (!is_gone(program)) std::this_thread::yield();
}

TEST_CASE("programs start where the kernel's clone3 and close_range are filtered away") {
  // As container engines do by default; the filter goes with the thread.
  std::string output;
  std::thread filtered([&] {
    std::array<sock_filter, 6> program = {{
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 2, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
    }};
    const sock_fprog filter{.len = program.size(), .filter = program.data()};
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
      output = "no filter";
      return;
    }
    LinuxLauncher launcher;
    auto launched = try_launch(launcher, request({"echo", "started"}));
    output = launched ? read_output(*launched->process) : launched.error().message;
  });
  filtered.join();
  if (output == "no filter") SKIP("SKIPPED: this host does not allow seccomp filters");
  CHECK(output == "started\n");
}

TEST_CASE("a testee finds only what it was given") {
  auto wanted = request({HEARTH_BINARY_DIR "/handlers/testees/bootstrap"});
  wanted.program.environment = {"TESTEE_MODE=exits_in_init", "TESTEE_EXIT_CODE=9"};
  LinuxLauncher launcher;
  const auto exits = launch(launcher, wanted);
  CHECK(await_exit(*exits) == Exit{.code = 9, .signal = {}});
  wanted.program.environment = {"TESTEE_MODE=crashes_in_init", "TESTEE_SIGNAL=6"};
  const auto crashes = launch(launcher, wanted);
  CHECK(await_exit(*crashes) == Exit{.code = {}, .signal = SIGABRT});
}

TEST_CASE("a measured start begins with the first clone and ends with the program", "[launch]") {
  const auto host = tests::host_plan();
  const auto plan = GENERATE_REF(bare_plan(), host);
  LinuxLauncher launcher(plan);
  launcher.measure_steps();
  for (int start = 0; start < 10; ++start) {
    auto program = launch(launcher, request({"/bin/true"}));
    const auto timings = launcher.last_timings();
    await_exit(*program);
    REQUIRE(timings.size() > 2);
    const auto first = timings.front().step;
    CHECK((first == LaunchStep::resource_groups || first == LaunchStep::clone_first_process ||
           first == LaunchStep::clone_process));
    CHECK(timings.back().step == LaunchStep::exec);
    const auto cloned = [](const StepTiming& timing) {
      return timing.step == LaunchStep::clone_process;
    };
    CHECK(std::count_if(timings.begin(), timings.end(), cloned) == 1);
  }
}
