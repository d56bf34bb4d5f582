#include "handlers/testees/misbehaviour.h"

#include "handlers/runtime_client/http_connection.h"
#include "handlers/runtime_client/runtime_client.h"
#include "handlers/testees/answering.h"
#include "handlers/testees/attempts.h"
#include "handlers/testees/conversation.h"
#include "handlers/testees/endurance.h"
#include "handlers/testees/greed.h"
#include "handlers/testees/surroundings.h"
#include "handlers/testees/variables.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <string>

namespace testees {
namespace {

using runtime_client::Connection;
using runtime_client::Invocation;
using runtime_client::Request;
using runtime_client::Result;

constexpr int kUnknownMode = 64;  // EX_USAGE
constexpr long kForever = -1;
constexpr std::string_view kNext = "/2018-06-01/runtime/invocation/next";
constexpr std::string_view kJson = "Content-Type: application/json\r\n";

int exit_code() { return static_cast<int>(number("TESTEE_EXIT_CODE", 1)); }

[[noreturn]] void wait_forever() {
  while (true) ::pause();
}

void wait(long milliseconds) {
  if (milliseconds == kForever) wait_forever();
  timespec left{milliseconds / 1000, milliseconds % 1000 * 1'000'000};
  while (::nanosleep(&left, &left) != 0) {
  }
}

runtime_client::Address runtime_api() {
  return runtime_client::parse_address(variable("AWS_LAMBDA_RUNTIME_API")).value();
}

void write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto count = ::write(descriptor, bytes.data(), bytes.size());
    if (count <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

// A socket on which a mode may say what no HTTP client would.
int connect_raw() {
  const auto address = runtime_api();
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(address.port);
  server.sin_addr.s_addr = htonl(address.ipv4);
  if (::connect(descriptor, reinterpret_cast<const sockaddr*>(&server), sizeof server) != 0) {
    std::_Exit(EXIT_FAILURE);
  }
  return descriptor;
}

Result echo(const Invocation& invocation) {
  return Result::response(std::string(invocation.payload));
}

// The loop by hand, for modes that must act between its steps. Ends when the Runtime API does.
template <typename AfterResponse>
int echo_then(AfterResponse after_response) {
  Connection connection(runtime_api());
  while (connection.exchange({"GET", kNext, "", ""}) == 200) {
    const auto response = "/2018-06-01/runtime/invocation/" +
                          std::string(connection.header("Lambda-Runtime-Aws-Request-Id")) +
                          "/response";
    const std::string event(connection.body());
    const Request request{"POST", response, kJson, event};
    if (!connection.exchange(request)) break;
    after_response(connection, request);
  }
  return EXIT_FAILURE;
}

int exits_in_init() { return exit_code(); }

int exits_during_invoke() {
  return runtime_client::run([](const Invocation&) -> Result { std::_Exit(exit_code()); });
}

int exits_after_response() {
  return echo_then([](Connection&, const Request&) { std::_Exit(exit_code()); });
}

int raise_signal() {
  const auto signal = static_cast<int>(number("TESTEE_SIGNAL", SIGSEGV));
  std::signal(signal, SIG_DFL);
  std::raise(signal);
  return EXIT_FAILURE;
}

int crashes() {
  return runtime_client::run([](const Invocation&) -> Result { std::_Exit(raise_signal()); });
}

int slow_init() {
  wait(number("TESTEE_DELAY_MS", kForever));
  return runtime_client::run(echo);
}

int sleeps_forever() {
  return runtime_client::run([](const Invocation& invocation) {
    wait(number("TESTEE_DELAY_MS", kForever));
    return echo(invocation);
  });
}

int spins() {
  return runtime_client::run([](const Invocation& invocation) {
    volatile unsigned turns = 1;
    while (turns != 0) turns = turns | 1U;
    return echo(invocation);
  });
}

int init_error() {
  const auto body = runtime_client::error_object(
      variable("TESTEE_ERROR_TYPE", "Runtime.InitFailed"), "this function cannot initialize");
  const auto headers = std::string(kJson) + "Lambda-Runtime-Function-Error-Type: " +
                       variable("TESTEE_ERROR_TYPE", "Runtime.InitFailed") + "\r\n";
  Connection connection(runtime_api());
  connection.exchange({"POST", "/2018-06-01/runtime/init/error", headers, body});
  return exit_code();
}

int init_error_stays() {
  init_error();
  wait_forever();
}

int function_error() {
  return runtime_client::run([](const Invocation&) {
    return Result::error(variable("TESTEE_ERROR_TYPE", "CustomError"), "this function has failed");
  });
}

int responds_twice() {
  return echo_then([](Connection& connection, const Request& request) {
    const auto status = connection.exchange(request);
    write_all(STDERR_FILENO, "second response: " + std::to_string(status.value_or(0)) + "\n");
  });
}

int garbage_speaker() {
  const int descriptor = connect_raw();
  std::string garbage = "\x16\x03\x01 NOT / HTTP\r\n";
  for (int byte = 0; byte < 256; ++byte) garbage += static_cast<char>(byte);
  write_all(descriptor, garbage + "\r\n\r\n");
  ::shutdown(descriptor, SHUT_WR);
  std::array<char, 256> answer{};
  while (::read(descriptor, answer.data(), answer.size()) > 0) {
  }
  ::close(descriptor);
  return runtime_client::run(echo);
}

int oversized_response() {
  return runtime_client::run([](const Invocation&) {
    // Source of the default: one byte over the hosted service's 6,291,556 for a response.
    const auto size = static_cast<std::size_t>(number("TESTEE_BYTES", 6'291'557));
    return Result::response('"' + std::string(size - 2, 'x') + '"');
  });
}

int truncated_response() {
  return runtime_client::run([](const Invocation& invocation) -> Result {
    const auto size = static_cast<std::size_t>(number("TESTEE_BYTES", 1000));
    std::string request = "POST /2018-06-01/runtime/invocation/";
    request.append(invocation.request_id).append("/response HTTP/1.1\r\nHost: runtime-api\r\n");
    request.append(kJson).append("Content-Length: ").append(std::to_string(size));
    request.append("\r\n\r\n").append(std::string(size / 2, 'x'));
    const int descriptor = connect_raw();
    write_all(descriptor, request);
    // Not closed: of a connection that nobody holds any more, nobody can say whose it was.
    ::shutdown(descriptor, SHUT_WR);
    wait_forever();
  });
}

int chatty_logger() {
  return runtime_client::run([](const Invocation& invocation) {
    const auto lines = number("TESTEE_LINES", 100);
    const auto size = static_cast<std::size_t>(number("TESTEE_BYTES", 300'000));
    for (long line = 1; line <= lines; ++line) {
      write_all(line % 2 == 0 ? STDERR_FILENO : STDOUT_FILENO,
                "line " + std::to_string(line) + "\n");
    }
    write_all(STDOUT_FILENO, std::string(size, 'x') + "\n");
    write_all(STDOUT_FILENO, "no newline after this");
    return echo(invocation);
  });
}

int env_printer() {
  return answer_events([](std::string_view) { return describe_surroundings(); });
}

int slow_after_response() {
  return echo_then([](Connection&, const Request&) { wait(number("TESTEE_DELAY_MS", 100)); });
}

int forks_child() {
  return runtime_client::run([](const Invocation&) {
    const auto child = ::fork();
    if (child == 0) wait_forever();
    return Result::response("{\"child\":" + std::to_string(child) + "}");
  });
}

int ignores_sigterm() {
  std::signal(SIGTERM, SIG_IGN);
  return runtime_client::run(echo);
}

struct Mode {
  std::string_view name;
  int (*run)();
};

constexpr std::array kModes = {
    Mode{"echo", [] { return runtime_client::run(echo); }},
    Mode{"exits_in_init", exits_in_init},
    Mode{"exits_during_invoke", exits_during_invoke},
    Mode{"exits_after_response", exits_after_response},
    Mode{"crashes_in_init", raise_signal},
    Mode{"crashes", crashes},
    Mode{"slow_init", slow_init},
    Mode{"sleeps_forever", sleeps_forever},
    Mode{"spins", spins},
    Mode{"init_error", init_error},
    Mode{"init_error_stays", init_error_stays},
    Mode{"function_error", function_error},
    Mode{"responds_twice", responds_twice},
    Mode{"garbage_speaker", garbage_speaker},
    Mode{"oversized_response", oversized_response},
    Mode{"truncated_response", truncated_response},
    Mode{"chatty_logger", chatty_logger},
    Mode{"env_printer", env_printer},
    Mode{"slow_after_response", slow_after_response},
    Mode{"forks_child", forks_child},
    Mode{"ignores_sigterm", ignores_sigterm},
    Mode{"hogs_memory", hogs_memory},
    Mode{"hogs_memory_in_init", hogs_memory_in_init},
    Mode{"child_hogs_memory", child_hogs_memory},
    Mode{"children_hog_memory", children_hog_memory},
    Mode{"hogs_memory_behind_a_descriptor", hogs_memory_behind_a_descriptor},
    Mode{"fills_disk", fills_disk},
    Mode{"fills_disk_with_files", fills_disk_with_files},
    Mode{"hogs_descriptors", hogs_descriptors},
    Mode{"bombs_processes", bombs_processes},
    Mode{"breeds_processes", breeds_processes},
    Mode{"bombs_threads", bombs_threads},
    Mode{"spins_in_threads", spins_in_threads},
    Mode{"attempts", attempts},
    Mode{"outlives", outlives},
    Mode{"ignores_signals", ignores_signals},
    Mode{"counts_in_background", counts_in_background},
    Mode{"arms_timer", arms_timer},
    Mode{"keeps_connection", keeps_connection},
    Mode{"listens", listens},
    Mode{"listens_without_accepting", listens_without_accepting},
    Mode{"sends_datagram", sends_datagram},
    Mode{"ends_when_asked", ends_when_asked},
};

}  // namespace

int misbehave(std::string_view mode) {
  if (!variable("TESTEE_LEAVES_DAEMON").empty()) leave_daemon();
  for (const auto& known : kModes) {
    if (known.name == mode) return known.run();
  }
  write_all(STDERR_FILENO, "unknown testee mode '" + std::string(mode) + "'\n");
  return kUnknownMode;
}

}  // namespace testees
