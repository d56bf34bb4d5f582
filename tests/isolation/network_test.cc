// Networks of a sandbox's own, in a world that each test makes: a network namespace with a route
// that leads nowhere, and addresses of the host that servers listen on.
#include "emulator/sandbox/outward_network.h"
#include "tests/isolation/sandboxed_testee.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <net/if.h>
#include <net/route.h>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

using namespace isolation_test;
using namespace emulator::sandbox;
using nlohmann::json;
namespace fs = std::filesystem;

namespace {

constexpr const char* kHostAddress = "192.0.2.10";
constexpr const char* kGateway = "192.0.2.1";
constexpr const char* kOutside = "198.51.100.7";      // another address of the host
constexpr const char* kMetadata = "169.254.169.254";  // where clouds keep their metadata
constexpr std::uint16_t kPort = 8123;

void must(bool done, const std::string& what) {
  if (!done) throw std::system_error(errno, std::generic_category(), what);
}

sockaddr_in address_of(const char* text, std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  ::inet_pton(AF_INET, text, &address.sin_addr);
  return address;
}

void set_interface(int socket, unsigned long request, const char* name, const char* address) {
  ifreq wanted{};
  std::strncpy(wanted.ifr_name, name, sizeof(wanted.ifr_name) - 1);
  if (address != nullptr) {
    const auto value = address_of(address, 0);
    std::memcpy(&wanted.ifr_addr, &value, sizeof value);
  } else {
    wanted.ifr_flags = IFF_UP | IFF_RUNNING;
  }
  must(::ioctl(socket, request, &wanted) == 0, std::string("setting up ") + name);
}

void write_to(const char* path, const std::string& text) {
  std::ofstream file(path);
  file << text << std::flush;
  must(file.good(), path);
}

// A world of its own for the calling process, which has one thread.
void enter_world() {
  const auto user = std::to_string(::geteuid());
  const auto group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWNET) != 0) {
    must(::unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0, "making a network namespace");
    write_to("/proc/self/setgroups", "deny");
    write_to("/proc/self/uid_map", "0 " + user + " 1");
    write_to("/proc/self/gid_map", "0 " + group + " 1");
  }
  const int socket = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  set_interface(socket, SIOCSIFFLAGS, "lo", nullptr);
  set_interface(socket, SIOCSIFADDR, "lo:1", kOutside);
  set_interface(socket, SIOCSIFADDR, "lo:2", kMetadata);
  const int device = ::open("/dev/net/tun", O_RDWR | O_CLOEXEC);
  must(device >= 0, "opening /dev/net/tun");
  ifreq wanted{};
  std::strncpy(wanted.ifr_name, "world0", sizeof(wanted.ifr_name) - 1);
  wanted.ifr_flags = IFF_TAP | IFF_NO_PI;
  must(::ioctl(device, TUNSETIFF, &wanted) == 0, "making an interface");
  set_interface(socket, SIOCSIFADDR, "world0", kHostAddress);
  set_interface(socket, SIOCSIFNETMASK, "world0", "255.255.255.0");
  set_interface(socket, SIOCSIFFLAGS, "world0", nullptr);
  rtentry route{};
  const auto any = address_of("0.0.0.0", 0);
  const auto gateway = address_of(kGateway, 0);
  std::memcpy(&route.rt_dst, &any, sizeof any);
  std::memcpy(&route.rt_genmask, &any, sizeof any);
  std::memcpy(&route.rt_gateway, &gateway, sizeof gateway);
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  must(::ioctl(socket, SIOCADDRT, &route) == 0, "adding a route");
}

// Open as long as its process.
int listen_at(const char* text) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const auto address = address_of(text, kPort);
  must(::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
           ::listen(listener, 8) == 0,
       "listening");
  return listener;
}

bool was_reached(int listener) { return ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) >= 0; }

// It goes by either of its names, passt and pasta.
std::vector<pid_t> pastas_of(pid_t parent) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    std::ifstream stat(entry.path() / "stat");
    std::string text;
    std::getline(stat, text);
    const auto end = text.rfind(") ");
    if (end == std::string::npos || text.find("(pas") == std::string::npos) continue;
    if (std::stoi(text.substr(end + 4)) == parent && text[end + 2] != 'Z') {
      found.push_back(std::stoi(entry.path().filename().string()));
    }
  }
  return found;
}

bool is_gone(pid_t pid) {
  std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
  std::string text;
  std::getline(stat, text);
  return text.empty() || text.find(") Z ") != std::string::npos;
}

// What the testee printed, in a line.
json answer_in(Sandbox& sandbox, const json& event) {
  auto started = sandbox.start(testee_start("attempts", {"TESTEE_EVENT=" + event.dump()}));
  if (!started) throw std::runtime_error(started.error().message);
  const auto listener = (*started)->take_listening_socket();
  std::string text;
  for (char letter = 0; letter != '\n';) {
    pollfd wait{.fd = (*started)->output_descriptor(), .events = POLLIN, .revents = 0};
    ::poll(&wait, 1, -1);
    const auto size = ::read((*started)->output_descriptor(), &letter, 1);
    if (size == 0) break;
    if (size > 0) text += letter;
  }
  if (listener) ::close(*listener);
  return json::parse(text);
}

std::unique_ptr<LinuxLauncher> launcher_with(Network network) {
  const auto plan =
      plan_isolation({.strictness = Strictness::degraded, .network = network}, probe_host());
  if (!plan) throw std::runtime_error(plan.error().message);
  return std::make_unique<LinuxLauncher>(*plan);
}

std::unique_ptr<Sandbox> made_by(LinuxLauncher& launcher) {
  auto sandbox = launcher.make(testee_request());
  if (!sandbox) throw std::runtime_error(sandbox.error().message);
  return std::move(*sandbox);
}

// A process in a world of its own, and the one value that it tells.
class World {
 public:
  explicit World(const std::function<void(const std::function<void(json)>& tell)>& act) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    pid_ = ::fork();
    REQUIRE(pid_ >= 0);
    if (pid_ == 0) {
      const auto tell = [&](const json& value) {
        const auto line = value.dump() + "\n";
        [[maybe_unused]] const auto size = ::write(ends[1], line.data(), line.size());
      };
      try {
        enter_world();
        act(tell);
      } catch (const std::exception& problem) {
        tell({{"failed", problem.what()}});
      }
      ::_exit(0);
    }
    ::close(ends[1]);
    reading_ = ends[0];
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  ~World() {
    end();
    ::close(reading_);
  }

  json told() const {
    std::string line;
    for (char letter = 0; ::read(reading_, &letter, 1) == 1 && letter != '\n';) line += letter;
    auto value = json::parse(line, nullptr, false);
    INFO("it told '" << line << "'");
    REQUIRE_FALSE(value.is_discarded());
    if (value.is_object() && value.contains("failed")) FAIL(value["failed"].get<std::string>());
    return value;
  }
  void end() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
    pid_ = -1;
  }

 private:
  pid_t pid_ = -1;
  int reading_ = -1;
};

void requires_outward_world() {
  tests::requires_outward_network();
  if (::access("/dev/net/tun", R_OK | W_OK) != 0) {
    SKIP("SKIPPED: needs /dev/net/tun, which this user may not open");
  }
}

json reach(const std::string& address) { return {{"act", "reach"}, {"target", address}}; }

std::string at_port(const char* address) {
  return std::string(address) + ":" + std::to_string(kPort);
}

}  // namespace

TEST_CASE("a private network leads outwards, and not to the host's loopback or metadata",
          "[network]") {
  requires_outward_world();
  const World world([](const auto& tell) {
    const int loopback = listen_at("127.0.0.1");
    const int outside = listen_at(kOutside);
    const int metadata = listen_at(kMetadata);
    const auto launcher = launcher_with(Network::own_outward);
    const auto sandbox = made_by(*launcher);
    const auto results =
        answer_in(*sandbox,
                  {reach(std::string(kListeningAddress) + ":" + std::to_string(kListeningPort)),
                   reach(at_port("127.0.0.1")),
                   reach(at_port(kOutside)),
                   reach(at_port(kMetadata)),
                   {{"act", "content"}, {"target", "/proc/net/dev"}}});
    tell({{"results", results},
          {"loopback", was_reached(loopback)},
          {"outside", was_reached(outside)},
          {"metadata", was_reached(metadata)}});
  });
  const auto told = world.told();
  INFO(told.dump(1));
  CHECK(told["results"][0] == "done");
  CHECK(told["results"][1] == "ECONNREFUSED");
  CHECK(told["results"][2] == "done");
  CHECK(told["results"][3] == "ECONNREFUSED");
  CHECK(told["results"][4].get<std::string>().find("world0:") != std::string::npos);
  CHECK(told["loopback"] == false);
  CHECK(told["outside"] == true);
  CHECK(told["metadata"] == false);
}

TEST_CASE("a network of nothing but a loopback leads to the Runtime API alone", "[network]") {
  requires_outward_world();
  const World world([](const auto& tell) {
    const int outside = listen_at(kOutside);
    const auto launcher = launcher_with(Network::none);
    const auto sandbox = made_by(*launcher);
    auto results =
        answer_in(*sandbox,
                  {reach(std::string(kListeningAddress) + ":" + std::to_string(kListeningPort)),
                   reach(at_port(kOutside)),
                   {{"act", "content"}, {"target", "/proc/net/dev"}}});
    tell({{"results", results},
          {"outside", was_reached(outside)},
          {"pastas", pastas_of(::getpid()).size()}});
  });
  const auto told = world.told();
  INFO(told.dump(1));
  CHECK(told["results"][0] == "done");
  CHECK(told["results"][1] == "ENETUNREACH");
  CHECK(told["results"][2].get<std::string>().find("world0") == std::string::npos);
  CHECK(told["outside"] == false);
  CHECK(told["pastas"] == 0);
}

TEST_CASE("pasta is gone with its sandbox", "[network]") {
  requires_outward_world();
  const World world([](const auto& tell) {
    const auto launcher = launcher_with(Network::own_outward);
    auto one = made_by(*launcher);
    auto other = made_by(*launcher);
    const auto both = pastas_of(::getpid()).size();
    one.reset();
    const auto single = pastas_of(::getpid()).size();
    other.reset();
    tell({both, single, pastas_of(::getpid()).size()});
  });
  CHECK(world.told() == json{2, 1, 0});
}

TEST_CASE("pasta is gone when the emulator is killed", "[network]") {
  requires_outward_world();
  World world([](const auto& tell) {
    const auto launcher = launcher_with(Network::own_outward);
    const auto sandbox = made_by(*launcher);
    tell(pastas_of(::getpid()));
    ::pause();
  });
  const auto told = world.told();
  REQUIRE(told.size() == 1);
  const pid_t pasta = told[0];
  CHECK_FALSE(is_gone(pasta));
  world.end();
  while (!is_gone(pasta)) std::this_thread::yield();
}

TEST_CASE("what pasta cannot do is told in its own words, with the package", "[network]") {
  requires_outward_world();
  const World world([](const auto& tell) {
    must(::unshare(CLONE_NEWNET) == 0, "making a network without a route");
    const auto launcher = launcher_with(Network::own_outward);
    const auto sandbox = launcher->make(testee_request());
    tell({sandbox ? "" : sandbox.error().message, pastas_of(::getpid()).size()});
  });
  const auto told = world.told();
  INFO(told.dump());
  const auto message = told[0].get<std::string>();
  CHECK(message.find("pasta") != std::string::npos);
  CHECK(message.find("routable interface") != std::string::npos);
  CHECK(message.find("package passt") != std::string::npos);
  CHECK(message.find("syslog") == std::string::npos);
  CHECK(told[1] == 0);
}

TEST_CASE("name servers on the host's loopback are asked through an address of their own",
          "[network]") {
  CHECK(asks_loopback("search a.example\nnameserver 127.0.0.53\n"));
  CHECK(asks_loopback("nameserver ::1"));
  CHECK_FALSE(asks_loopback("nameserver 192.0.2.53\n# nameserver 127.0.0.1\n"));
  CHECK(forwarded("nameserver 127.0.0.53\noptions edns0\nsearch a.example\n") ==
        "nameserver 203.0.113.53\noptions edns0\nsearch a.example\n");
}
