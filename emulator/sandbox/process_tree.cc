#include "emulator/sandbox/process_tree.h"

#include "emulator/sandbox/unique_fd.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::sandbox {
namespace {

constexpr std::size_t kMaxProcesses = 4096;

UniqueFd open_of(pid_t pid, const std::string& file) {
  const auto path = "/proc/" + std::to_string(pid) + file;
  return UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
}

std::string read_all(const UniqueFd& file) {
  std::string content;
  std::array<char, 4096> buffer;
  while (file.valid()) {
    const auto length = ::read(file.get(), buffer.data(), buffer.size());
    if (length <= 0) break;
    content.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return content;
}

void add_children(pid_t pid, std::vector<pid_t>& found) {
  const auto content = read_all(open_of(pid, "/task/" + std::to_string(pid) + "/children"));
  const char* at = content.data();
  const char* const end = at + content.size();
  while (at < end && found.size() < kMaxProcesses) {
    pid_t child = 0;
    const auto [next, error] = std::from_chars(at, end, child);
    if (error != std::errc{}) return;
    found.push_back(child);
    at = next + 1;
  }
}

std::uint64_t kibibytes_after(std::string_view status, std::string_view key) {
  auto at = status.find(key);
  if (at == std::string_view::npos) return 0;
  at = status.find_first_not_of(" \t", at + key.size());
  if (at == std::string_view::npos) return 0;
  std::uint64_t value = 0;
  std::from_chars(status.data() + at, status.data() + status.size(), value);
  return value;
}

// Of the socket at the asking side's end; nothing when there is no such connection.
std::optional<std::uint32_t> socket_inode(std::uint16_t port, std::uint16_t peer_port) {
  const UniqueFd netlink(::socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.valid()) return std::nullopt;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } message{};
  message.header.nlmsg_len = sizeof(message);
  message.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  message.header.nlmsg_flags = NLM_F_REQUEST;
  message.request.sdiag_family = AF_INET;
  message.request.sdiag_protocol = IPPROTO_TCP;
  message.request.idiag_states = ~0U;
  message.request.id.idiag_sport = htons(port);
  message.request.id.idiag_dport = htons(peer_port);
  message.request.id.idiag_src[0] = htonl(INADDR_LOOPBACK);
  message.request.id.idiag_dst[0] = htonl(INADDR_LOOPBACK);
  message.request.id.idiag_cookie[0] = INET_DIAG_NOCOOKIE;
  message.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (::send(netlink.get(), &message, sizeof(message), 0) != sizeof(message)) return std::nullopt;
  alignas(nlmsghdr) std::array<char, 1024> buffer;
  const auto length = ::recv(netlink.get(), buffer.data(), buffer.size(), 0);
  const auto* header = reinterpret_cast<const nlmsghdr*>(buffer.data());
  if (length < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg))) ||
      header->nlmsg_type != SOCK_DIAG_BY_FAMILY) {
    return std::nullopt;
  }
  return reinterpret_cast<const inet_diag_msg*>(buffer.data() + NLMSG_HDRLEN)->idiag_inode;
}

bool holds_socket(pid_t pid, const std::string& link) {
  const auto folder = "/proc/" + std::to_string(pid) + "/fd";
  const std::unique_ptr<DIR, int (*)(DIR*)> entries(::opendir(folder.c_str()), ::closedir);
  if (!entries) return false;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): of a folder that this thread has opened
  while (const auto* entry = ::readdir(entries.get())) {
    std::array<char, 64> target;
    const auto length =
        ::readlinkat(::dirfd(entries.get()), entry->d_name, target.data(), target.size());
    if (length > 0 && link == std::string_view(target.data(), static_cast<std::size_t>(length))) {
      return true;
    }
  }
  return false;
}

}  // namespace

std::vector<pid_t> process_tree(pid_t root) {
  std::vector<pid_t> found{root};
  for (std::size_t at = 0; at < found.size(); ++at) add_children(found[at], found);
  return found;
}

ResidentMemory resident_memory(const std::vector<pid_t>& processes) {
  ResidentMemory sum;
  for (const auto pid : processes) {
    const auto status = read_all(open_of(pid, "/status"));
    sum.now_bytes += kibibytes_after(status, "VmRSS:") * 1024;
    sum.peak_bytes += kibibytes_after(status, "VmHWM:") * 1024;
  }
  return sum;
}

bool holds_connection(const std::vector<pid_t>& processes,
                      std::uint16_t port,
                      std::uint16_t peer_port) {
  const auto inode = socket_inode(port, peer_port);
  if (!inode) return false;
  const auto link = "socket:[" + std::to_string(*inode) + "]";
  return std::any_of(
      processes.begin(), processes.end(), [&](pid_t pid) { return holds_socket(pid, link); });
}

}  // namespace emulator::sandbox
