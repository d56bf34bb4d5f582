#include "emulator/sandbox/outward_network.h"

#include "emulator/sandbox/child_setup.h"
#include "emulator/sandbox/line.h"
#include "emulator/sandbox/program_search.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <sstream>
#include <string_view>
#include <vector>

namespace emulator::sandbox {
namespace {

using namespace std::chrono_literals;

constexpr const char* kOperation = "carrying traffic outwards with pasta";

// Our choice: it takes some tens of milliseconds. Who takes longer will not come.
constexpr auto kPatience = 10s;
// Our choice: as much of its words as a message holds.
constexpr std::size_t kMaxWords = 4096;

constexpr const char* kHostNames = "/etc/resolv.conf";

// Everything that pasta needs is at the numbers that every version leaves open. In this way it
// needs neither the right to look into the first process, nor can it meet a stranger with its
// number.
constexpr const char* kNetworkPath = "/proc/self/fd/0";
constexpr const char* kUserPath = "/proc/self/fd/1";
constexpr const char* kWordsPath = "/proc/self/fd/2";

struct Streams {
  UniqueFd network;
  UniqueFd user;  // or the null device
  UniqueFd words_reading;
  UniqueFd words_writing;
};

tl::expected<Streams, SandboxError> open_streams(pid_t first_process,
                                                 OutwardNetwork::UserNamespace user) {
  const auto open = [](const std::string& path) {
    return above_standard_streams(UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC)));
  };
  const auto folder = "/proc/" + std::to_string(first_process) + "/ns/";
  std::array<int, 2> ends{};
  // Not blocking, for nobody reads any more once pasta is ready.
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    return tl::unexpected(system_error(kOperation));
  }
  Streams streams;
  streams.words_reading = above_standard_streams(UniqueFd(ends[0]));
  streams.words_writing = above_standard_streams(UniqueFd(ends[1]));
  streams.network = open(folder + "net");
  streams.user = open(user == OutwardNetwork::UserNamespace::own ? folder + "user" : "/dev/null");
  if (!streams.words_reading.valid() || !streams.words_writing.valid() ||
      !streams.network.valid() || !streams.user.valid()) {
    return tl::unexpected(system_error(kOperation));
  }
  return streams;
}

std::vector<std::string> pasta_command(OutwardNetwork::UserNamespace user) {
  std::vector<std::string> command = {
      "pasta",
      "--foreground",
      "--quiet",
      "--config-net",
      "--no-netns-quit",
      "--pid",
      kWordsPath,
      // No port leads in, and none from the sandbox's loopback to the host's.
      "--tcp-ports",
      "none",
      "--udp-ports",
      "none",
      "--tcp-ns",
      "none",
      "--udp-ns",
      "none",
      // Nor does the gateway's address.
      "--no-map-gw",
      "--netns",
      kNetworkPath};
  if (user == OutwardNetwork::UserNamespace::own) {
    command.insert(command.end(), {"--userns", kUserPath});
  }
  // Another user could not enter a network of root's. It keeps of root's rights only those to the
  // network, and sees an empty root.
  if (::geteuid() == 0) command.insert(command.end(), {"--runas", "0"});
  if (asks_loopback(content_of_file(kHostNames))) {
    command.insert(command.end(), {"--dns-forward", kForwardedNameServer});
  }
  return command;
}

// Between clone and exec: the rules of child_setup.h.
[[noreturn]] void become_pasta(const Streams& streams,
                               const char* path,
                               char* const* argv,
                               pid_t parent,
                               int guardian) noexcept {
  ::setsid();
  guard_this_group(guardian);
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(127);
  // It takes an ignored SIGPIPE for a failure.
  if (reset_signals() && ::dup2(streams.network.get(), STDIN_FILENO) >= 0 &&
      ::dup2(streams.user.get(), STDOUT_FILENO) >= 0 &&
      ::dup2(streams.words_writing.get(), STDERR_FILENO) >= 0 && close_from(STDERR_FILENO + 1)) {
    char variable[] = "PATH=/usr/bin:/bin";
    char* const variables[] = {variable, nullptr};
    ::execve(path, argv, variables);
  }
  const char* reason = ::strerrordesc_np(errno);
  if (reason != nullptr) {
    [[maybe_unused]] const auto said = ::write(STDERR_FILENO, reason, std::strlen(reason));
  }
  ::_exit(127);
}

// Without the seconds that it may begin with.
std::string without_stamp(const std::string& line) {
  const auto end = line.find(": ");
  const bool stamped = end != std::string::npos && line.find_first_not_of("0123456789.") == end;
  return stamped ? line.substr(end + 2) : line;
}

// Lines without those about a log that this host does not keep.
std::string sentence_of(const std::string& words) {
  std::string sentence;
  std::istringstream lines(words);
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.ends_with("bytes to syslog")) continue;
    if (!sentence.empty()) sentence += "; ";
    sentence += without_stamp(line);
  }
  return sentence.empty() ? "it ended without a word" : sentence;
}

bool has_line(const std::string& words, const std::string& wanted) {
  std::istringstream lines(words);
  for (std::string line; std::getline(lines, line);) {
    if (line == wanted) return true;
  }
  return false;
}

// Its number among its words is what pasta writes last before it begins to carry. Empty: ready.
std::string await_ready(int words, pid_t pid) {
  std::string said;
  const auto number = std::to_string(pid);
  const auto patience = static_cast<int>(std::chrono::milliseconds(kPatience).count());
  std::array<char, 512> bytes{};
  while (said.size() < kMaxWords) {
    pollfd waited{.fd = words, .events = POLLIN, .revents = 0};
    const int ready = ::poll(&waited, 1, patience);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return sentence_of(said + "\nit was not ready in time");
    const auto size = ::read(words, bytes.data(), bytes.size());
    if (size < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (size <= 0) break;
    said.append(bytes.data(), static_cast<std::size_t>(size));
    if (said.ends_with('\n') && has_line(said, number)) return {};
  }
  return sentence_of(said);
}

SandboxError pasta_error(const std::string& words) {
  return {
      .kind = SandboxError::Kind::system,
      .operation = kOperation,
      .error_number = 0,
      .message = "--network private needs pasta, which could not carry traffic outwards: " + words +
                 "; it is in Debian's and Ubuntu's package passt, needs an interface "
                 "with a default route, and /dev/net/tun open to this user"};
}

}  // namespace

bool asks_loopback(const std::string& resolv_conf) {
  std::istringstream lines(resolv_conf);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream fields(line);
    std::string key;
    std::string server;
    fields >> key >> server;
    if (key == "nameserver" && (server.starts_with("127.") || server == "::1")) return true;
  }
  return false;
}

std::string forwarded(const std::string& resolv_conf) {
  std::string text = "nameserver " + std::string(kForwardedNameServer) + "\n";
  std::istringstream lines(resolv_conf);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("search") || line.starts_with("options")) text += line + "\n";
  }
  return text;
}

tl::expected<std::unique_ptr<OutwardNetwork>, SandboxError> OutwardNetwork::start(
    pid_t first_process, UserNamespace user, const Guardian& guardian) {
  const auto path = find_program("pasta");
  if (path.find('/') == std::string::npos) return tl::unexpected(pasta_error("not installed"));
  auto streams = open_streams(first_process, user);
  if (!streams) return tl::unexpected(streams.error());
  const auto command = pasta_command(user);
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const auto& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);

  const auto parent = ::getpid();
  constexpr auto kFlags = static_cast<unsigned long>(CLONE_PIDFD) | SIGCHLD;
  int pidfd = -1;
  const auto pid =
      static_cast<pid_t>(::syscall(SYS_clone, kFlags, nullptr, &pidfd, nullptr, nullptr));
  if (pid == 0) become_pasta(*streams, path.c_str(), argv.data(), parent, guardian.descriptor());
  if (pid < 0) return tl::unexpected(system_error(kOperation));
  std::unique_ptr<OutwardNetwork> network(
      new OutwardNetwork(pid, UniqueFd(pidfd), std::move(streams->words_reading), guardian));
  streams->words_writing.reset();
  if (const auto words = await_ready(network->words_.get(), pid); !words.empty()) {
    return tl::unexpected(pasta_error(words));
  }
  return network;
}

OutwardNetwork::~OutwardNetwork() {
  const auto group = process_->pid();
  process_.reset();
  guardian_.forget(group);
}

}  // namespace emulator::sandbox
