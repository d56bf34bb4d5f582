#include "handlers/testees/endurance.h"

#include "handlers/runtime_client/http_connection.h"
#include "handlers/testees/answering.h"
#include "handlers/testees/variables.h"

#include <nlohmann/json.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>

namespace testees {
namespace {

using Json = nlohmann::ordered_json;

void ignore_all_signals() {
  for (int signal = 1; signal <= SIGRTMAX; ++signal) std::signal(signal, SIG_IGN);
  sigset_t all;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

void wait_ms(long milliseconds) {
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0) {
  }
}

std::atomic<long> ticks = 0;

void* count_ticks(void*) {
  while (true) {
    wait_ms(1);
    ++ticks;
  }
}

std::atomic<bool> timer_is_armed = false;

void* tell_when_it_is_time(void* delay_ms) {
  wait_ms(*static_cast<const long*>(delay_ms));
  constexpr std::string_view kText = "the timer has fired\n";
  const bool told = ::write(STDOUT_FILENO, kText.data(), kText.size()) > 0;
  timer_is_armed = false;
  return told ? delay_ms : nullptr;
}

long monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000 + now.tv_nsec / 1'000'000;
}

int connect_to(std::string_view text) {
  const auto address = runtime_client::parse_address(text);
  if (!address) return -1;
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address->port);
  server.sin_addr.s_addr = htonl(address->ipv4);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&server), sizeof server) == 0) {
    return descriptor;
  }
  ::close(descriptor);
  return -1;
}

}  // namespace

void leave_daemon() {
  const auto child = ::fork();
  if (child != 0) {
    ::waitpid(child, nullptr, 0);
    return;
  }
  ::setsid();
  if (::fork() != 0) std::_Exit(EXIT_SUCCESS);
  ignore_all_signals();
  if (::chdir("/") != 0) std::_Exit(EXIT_FAILURE);
  for (int descriptor = 0; descriptor < 1024; ++descriptor) ::close(descriptor);
  while (true) ::pause();
}

int outlives() {
  return answer_events([](std::string_view event) {
    leave_daemon();
    return std::string(event);
  });
}

int ignores_signals() {
  ignore_all_signals();
  return answer_events([](std::string_view event) { return std::string(event); });
}

int counts_in_background() {
  pthread_t thread{};
  ::pthread_create(&thread, nullptr, count_ticks, nullptr);
  return answer_events([](std::string_view) {
    return Json{{"ticks", ticks.load()}, {"monotonic_ms", monotonic_ms()}}.dump();
  });
}

int arms_timer() {
  static const long kDelayMs = number("TESTEE_DELAY_MS", 100);
  return answer_events([](std::string_view event) {
    if (!timer_is_armed.exchange(true)) {
      pthread_t thread{};
      ::pthread_create(&thread, nullptr, tell_when_it_is_time, const_cast<long*>(&kDelayMs));
      ::pthread_detach(thread);
    } else {
      while (timer_is_armed) wait_ms(1);
    }
    return std::string(event);
  });
}

int keeps_connection() {
  int connection = -1;
  return answer_events([&](std::string_view event) {
    // The event is the address, as a string.
    if (connection < 0 && event.size() > 2) {
      connection = connect_to(event.substr(1, event.size() - 2));
    }
    std::array<char, 256> line{};
    const auto sent = ::send(connection, "hello\n", 6, MSG_NOSIGNAL);
    const auto heard = sent > 0 ? ::recv(connection, line.data(), line.size(), 0) : -1;
    const Json answer = {
        {"heard", std::string(line.data(), static_cast<std::size_t>(heard > 0 ? heard : 0))},
        {"error", error_name(heard < 0 ? errno : 0)}};
    return answer.dump();
  });
}

}  // namespace testees
