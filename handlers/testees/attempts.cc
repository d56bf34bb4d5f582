#include "handlers/testees/attempts.h"

#include "handlers/runtime_client/http_connection.h"
#include "handlers/testees/answering.h"
#include "handlers/testees/variables.h"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/capability.h>
#include <linux/io_uring.h>
#include <linux/keyctl.h>
#include <linux/perf_event.h>
#include <linux/userfaultfd.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/reboot.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <vector>

namespace testees {
namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kDone = "done";
constexpr unsigned long kNoSuchFlags = 0xdead0000UL;

using Act = long (*)(const std::string& target);

std::string result_of(long returned) { return returned < 0 ? error_name(errno) : kDone; }

// In a child, so that one act that succeeds does not change what the next ones find.
std::string result_in_child(Act act, const std::string& target) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return "no pipe";
  const auto child = ::fork();
  if (child == 0) {
    const int error = act(target) < 0 ? errno : 0;
    std::_Exit(::write(ends[1], &error, sizeof error) == sizeof error ? 0 : EXIT_FAILURE);
  }
  ::close(ends[1]);
  int error = 0;
  const auto size = ::read(ends[0], &error, sizeof error);
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  if (size != sizeof error) return "died of it";
  return error == 0 ? kDone : error_name(error);
}

pid_t process(const std::string& target) {
  return static_cast<pid_t>(std::strtol(target.c_str(), nullptr, 10));
}

// Mounts and namespaces.

long mount_something(const std::string&) { return ::mount("none", "/tmp", "tmpfs", 0, nullptr); }

long make_writable(const std::string& target) {
  return ::mount(nullptr, target.c_str(), nullptr, MS_REMOUNT | MS_BIND, nullptr);
}

long unmount(const std::string& target) { return ::umount2(target.c_str(), MNT_DETACH); }

long change_root(const std::string&) { return ::chroot("/tmp"); }

long pivot_root(const std::string&) { return ::syscall(SYS_pivot_root, "/tmp", "/tmp"); }

long clone_tree(const std::string&) {
  return ::syscall(SYS_open_tree, AT_FDCWD, "/", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
}

long open_file_system(const std::string&) { return ::syscall(SYS_fsopen, "tmpfs", 0U); }

long unshare_user(const std::string&) { return ::unshare(CLONE_NEWUSER); }
long unshare_mounts(const std::string&) { return ::unshare(CLONE_NEWNS); }

// A child in new namespaces, through the old call or the new one.
long reap(long child) {
  if (child == 0) std::_Exit(EXIT_SUCCESS);
  if (child > 0) ::waitpid(static_cast<pid_t>(child), nullptr, 0);
  return child;
}

long clone_user(const std::string&) {
  return reap(::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, nullptr, nullptr, nullptr, nullptr));
}

long clone3_user(const std::string&) {
  std::array<std::uint64_t, 8> arguments = {CLONE_NEWUSER, 0, 0, 0, SIGCHLD};
  return reap(::syscall(SYS_clone3, arguments.data(), sizeof arguments));
}

long join_namespace(const std::string& target) {
  const int descriptor = ::open(target.c_str(), O_RDONLY | O_CLOEXEC);
  return descriptor < 0 ? -1 : ::setns(descriptor, 0);
}

// Other processes.

long trace(const std::string& target) {
  const auto traced = ::ptrace(PTRACE_SEIZE, process(target), nullptr, nullptr);
  if (traced == 0) ::ptrace(PTRACE_DETACH, process(target), nullptr, nullptr);
  return traced;
}

long read_memory(const std::string& target) {
  char byte = 0;
  const iovec own{.iov_base = &byte, .iov_len = 1};
  // Where a program that is not moved about begins; an address that is not there is EFAULT.
  const iovec foreign{.iov_base = reinterpret_cast<void*>(0x400000), .iov_len = 1};
  return ::process_vm_readv(process(target), &own, 1, &foreign, 1, 0);
}

long steal_descriptor(const std::string& target) {
  const auto handle = ::syscall(SYS_pidfd_open, process(target), 0);
  if (handle < 0) return -1;
  return ::syscall(SYS_pidfd_getfd, static_cast<int>(handle), STDOUT_FILENO, 0);
}

long signal_process(const std::string& target) { return ::kill(process(target), 0); }

// Only where somebody else's processes are out of reach: `target` is the outer namespace.
std::string signal_everybody(const std::string& target) {
  std::array<char, 64> own{};
  const auto size = ::readlink("/proc/self/ns/pid", own.data(), own.size() - 1);
  if (size <= 0 || target.empty() || target == own.data()) return "not tried";
  std::signal(SIGTERM, SIG_IGN);
  return result_of(::kill(-1, SIGTERM));
}

// Which of the first `target` numbers name another process that can be signalled.
std::string reachable_processes(const std::string& target) {
  const auto last = process(target);
  auto found = Json::array();
  for (pid_t pid = 1; pid <= last; ++pid) {
    if (pid != ::getpid() && ::kill(pid, 0) == 0) found.push_back(pid);
  }
  return found.dump();
}

// The kernel itself.

long load_bpf(const std::string&) {
  bpf_attr attributes{};
  attributes.map_type = BPF_MAP_TYPE_ARRAY;
  attributes.key_size = 4;
  attributes.value_size = 4;
  attributes.max_entries = 1;
  return ::syscall(SYS_bpf, BPF_MAP_CREATE, &attributes, sizeof attributes);
}

long use_keyring(const std::string&) {
  return ::syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0);
}

long add_key(const std::string&) {
  return ::syscall(SYS_add_key, "user", "testee", "x", 1, KEY_SPEC_PROCESS_KEYRING);
}

long load_kernel(const std::string&) {
  return ::syscall(SYS_kexec_load, 0UL, 0UL, nullptr, kNoSuchFlags);
}

long watch_performance(const std::string&) {
  perf_event_attr attributes{};
  attributes.size = sizeof attributes;
  attributes.type = PERF_TYPE_SOFTWARE;
  attributes.config = PERF_COUNT_SW_CPU_CLOCK;
  attributes.exclude_kernel = 1;
  return ::syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0);
}

long set_up_io_uring(const std::string&) {
  io_uring_params parameters{};
  return ::syscall(SYS_io_uring_setup, 1U, &parameters);
}

long handle_page_faults(const std::string&) { return ::syscall(SYS_userfaultfd, O_CLOEXEC); }

long load_module(const std::string&) { return ::syscall(SYS_init_module, nullptr, 0UL, ""); }

long restart_host(const std::string&) { return ::reboot(RB_DISABLE_CAD); }

long swap(const std::string&) { return ::swapon("/no/such/file", 0); }

long name_host(const std::string&) {
  std::array<char, HOST_NAME_MAX + 1> name{};
  ::gethostname(name.data(), name.size());
  return ::sethostname(name.data(), std::strlen(name.data()));
}

long set_time(const std::string&) {
  const struct timezone zone {};
  return ::settimeofday(nullptr, &zone);
}

long read_kernel_log(const std::string&) {
  constexpr int kReadAll = 3;
  std::array<char, 16> text{};
  return ::syscall(SYS_syslog, kReadAll, text.data(), static_cast<int>(text.size()));
}

long listen_to_packets(const std::string&) { return ::socket(AF_PACKET, SOCK_RAW, 0); }
long send_raw_packets(const std::string&) { return ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); }

// Rights.

long make_device(const std::string&) {
  constexpr int kDisk = 8;
  const auto made = ::mknod("/tmp/testee-disk", S_IFBLK | 0600, makedev(kDisk, 0));
  if (made == 0) ::unlink("/tmp/testee-disk");
  return made;
}

long become_root(const std::string&) { return ::setuid(0); }

long drop_groups(const std::string&) {
  const gid_t group = 0;
  return ::syscall(SYS_setgroups, 1, &group);
}

long gain_capabilities(const std::string&) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  std::array<__user_cap_data_struct, 2> wanted{};
  for (auto& half : wanted) half = {.effective = ~0U, .permitted = ~0U, .inheritable = 0};
  return ::syscall(SYS_capset, &header, wanted.data());
}

long open_by_handle(const std::string&) {
  struct {
    unsigned bytes = 8;
    int type = 1;
    std::array<unsigned char, 8> handle{};
  } root;
  return ::syscall(SYS_open_by_handle_at, AT_FDCWD, &root, O_RDONLY);
}

long raise_limits(const std::string&) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  ++limit.rlim_max;
  return ::setrlimit(RLIMIT_NOFILE, &limit);
}

long gain_priority(const std::string&) { return ::setpriority(PRIO_PROCESS, 0, -1); }

long run_in_real_time(const std::string&) {
  const sched_param parameters{.sched_priority = 1};
  return ::sched_setscheduler(0, SCHED_FIFO, &parameters);
}

// Files.

long read_byte(const std::string& target) {
  const int file = ::open(target.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (file < 0) return -1;
  char byte = 0;
  const auto count = ::read(file, &byte, 1);
  const int error = errno;
  ::close(file);
  errno = error;
  return count;
}

long list(const std::string& target) {
  DIR* folder = ::opendir(target.c_str());
  return folder == nullptr ? -1 : ::closedir(folder);
}

long open_to_write(const std::string& target) {
  return ::open(target.c_str(), O_WRONLY | O_CLOEXEC | O_NONBLOCK);
}

long create(const std::string& target) {
  return ::open(target.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

long remove_file(const std::string& target) { return ::unlink(target.c_str()); }
long make_folder(const std::string& target) { return ::mkdir(target.c_str(), 0700); }

long read_through_link(const std::string& target) {
  constexpr const char* kLink = "/tmp/testee-link";
  ::unlink(kLink);
  return ::symlink(target.c_str(), kLink) != 0 ? -1 : read_byte(kLink);
}

std::string content(const std::string& target) {
  std::ifstream file(target, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Files of other processes in which `needle` stands.
std::string search_processes(const std::string& needle) {
  auto found = Json::array();
  DIR* folder = ::opendir("/proc");
  if (folder == nullptr) return found.dump();
  while (const auto* entry = ::readdir(folder)) {  // NOLINT(concurrency-mt-unsafe): one thread
    const std::string name = entry->d_name;
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    if (name == std::to_string(::getpid())) continue;
    for (const auto* file : {"/environ", "/cmdline"}) {
      auto path = "/proc/" + name + file;
      if (content(path).find(needle) != std::string::npos) found.push_back(std::move(path));
    }
  }
  ::closedir(folder);
  return found.dump();
}

// Networks.

int connected(const std::string& target) {
  const auto address = runtime_client::parse_address(target);
  errno = EINVAL;
  if (!address) return -1;
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address->port);
  server.sin_addr.s_addr = htonl(address->ipv4);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0) {
    return descriptor;
  }
  const int error = errno;
  ::close(descriptor);
  errno = error;
  return -1;
}

long reach(const std::string& target) { return connected(target); }

// What a Runtime API says to a question that it answers at once: "HTTP 200", or "no answer".
std::string ask_runtime_api(const std::string& target) {
  const int descriptor = connected(target);
  if (descriptor < 0) return error_name(errno);
  constexpr std::string_view kQuestion = "GET /2018-06-01/ping HTTP/1.1\r\nHost: testee\r\n\r\n";
  ::send(descriptor, kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL);
  std::array<char, 64> answer{};
  const auto size = ::recv(descriptor, answer.data(), answer.size() - 1, 0);
  ::close(descriptor);
  constexpr std::size_t kStatus = 9;  // after "HTTP/1.1 "
  if (size < static_cast<ssize_t>(kStatus + 3)) return "no answer";
  return "HTTP " + std::string(answer.data() + kStatus, 3);
}

struct Call {
  std::string_view name;
  Act act;
};

constexpr std::array kCalls = {
    Call{"mount", mount_something},
    Call{"make_writable", make_writable},
    Call{"unmount", unmount},
    Call{"change_root", change_root},
    Call{"pivot_root", pivot_root},
    Call{"clone_tree", clone_tree},
    Call{"open_file_system", open_file_system},
    Call{"unshare_user", unshare_user},
    Call{"unshare_mounts", unshare_mounts},
    Call{"clone_user", clone_user},
    Call{"clone3_user", clone3_user},
    Call{"join_namespace", join_namespace},
    Call{"trace", trace},
    Call{"read_memory", read_memory},
    Call{"steal_descriptor", steal_descriptor},
    Call{"signal", signal_process},
    Call{"load_bpf", load_bpf},
    Call{"use_keyring", use_keyring},
    Call{"add_key", add_key},
    Call{"load_kernel", load_kernel},
    Call{"watch_performance", watch_performance},
    Call{"set_up_io_uring", set_up_io_uring},
    Call{"handle_page_faults", handle_page_faults},
    Call{"load_module", load_module},
    Call{"restart_host", restart_host},
    Call{"swap", swap},
    Call{"name_host", name_host},
    Call{"set_time", set_time},
    Call{"read_kernel_log", read_kernel_log},
    Call{"listen_to_packets", listen_to_packets},
    Call{"send_raw_packets", send_raw_packets},
    Call{"make_device", make_device},
    Call{"become_root", become_root},
    Call{"drop_groups", drop_groups},
    Call{"gain_capabilities", gain_capabilities},
    Call{"open_by_handle", open_by_handle},
    Call{"raise_limits", raise_limits},
    Call{"gain_priority", gain_priority},
    Call{"run_in_real_time", run_in_real_time},
    Call{"read", read_byte},
    Call{"list", list},
    Call{"write", open_to_write},
    Call{"create", create},
    Call{"remove", remove_file},
    Call{"make_folder", make_folder},
    Call{"read_through_link", read_through_link},
    Call{"reach", reach},
};

struct Question {
  std::string_view name;
  std::string (*ask)(const std::string& target);
};

constexpr std::array kQuestions = {
    Question{"signal_everybody", signal_everybody},
    Question{"reachable_processes", reachable_processes},
    Question{"content", content},
    Question{"search_processes", search_processes},
    Question{"ask_runtime_api", ask_runtime_api},
};

}  // namespace

std::string attempt(std::string_view act, const std::string& target) {
  for (const auto& call : kCalls) {
    if (call.name == act) return result_in_child(call.act, target);
  }
  for (const auto& question : kQuestions) {
    if (question.name == act) return question.ask(target);
  }
  return "unknown act";
}

std::string attempt_all(std::string_view event) {
  auto results = Json::array();
  for (const auto& asked : Json::parse(event)) {
    results.push_back(attempt(asked.value("act", ""), asked.value("target", "")));
  }
  return results.dump(-1, ' ', false, Json::error_handler_t::replace);
}

int attempts() { return answer_events(attempt_all); }

}  // namespace testees
