#include "emulator/environment/outcome.h"

#include <signal.h>

#include <array>
#include <cstdio>
#include <utility>

namespace emulator::environment {
namespace {

// The names that Go's os package prints, because the service's messages come from there.
std::string signal_name(int number) {
  static constexpr std::array<std::pair<int, std::string_view>, 15> kNames = {{
      {SIGHUP, "hangup"},
      {SIGINT, "interrupt"},
      {SIGQUIT, "quit"},
      {SIGILL, "illegal instruction"},
      {SIGTRAP, "trace/breakpoint trap"},
      {SIGABRT, "aborted"},
      {SIGBUS, "bus error"},
      {SIGFPE, "floating point exception"},
      {SIGKILL, "killed"},
      {SIGUSR1, "user defined signal 1"},
      {SIGSEGV, "segmentation fault"},
      {SIGUSR2, "user defined signal 2"},
      {SIGPIPE, "broken pipe"},
      {SIGALRM, "alarm clock"},
      {SIGTERM, "terminated"},
  }};
  for (const auto& [value, name] : kNames) {
    if (value == number) return std::string(name);
  }
  return "signal " + std::to_string(number);
}

template <class... Ts>
struct Overloaded : Ts... {
  using Ts::operator()...;
};
template <class... Ts>
Overloaded(Ts...) -> Overloaded<Ts...>;

}  // namespace

std::string_view error_type(const Outcome& outcome) {
  return std::visit(
      Overloaded{
          [](const Responded&) { return std::string_view{}; },
          [](const FunctionError& error) { return std::string_view{error.error_type}; },
          [](const TimedOut&) { return std::string_view{"Sandbox.Timedout"}; },
          [](const RuntimeExited&) { return std::string_view{"Runtime.ExitError"}; },
          [](const OutOfMemory&) { return std::string_view{"Runtime.OutOfMemory"}; },
          [](const ResponseTooLarge&) { return std::string_view{"Function.ResponseSizeTooLarge"}; },
          [](const ResponseTruncated&) { return std::string_view{"Runtime.TruncatedResponse"}; },
          [](const NeverStarted& never) { return std::string_view{never.error_type}; },
          [](const ExtensionFailed& failed) { return std::string_view{failed.error_type}; },
          [](const RestoreFailed& failed) { return std::string_view{failed.error_type}; },
      },
      outcome);
}

std::string describe(const RuntimeExited& exited) {
  if (exited.signal) return "Runtime exited with error: signal: " + signal_name(*exited.signal);
  if (exited.exit_code.value_or(0) != 0) {
    return "Runtime exited with error: exit status " + std::to_string(*exited.exit_code);
  }
  return "Runtime exited without providing a reason";
}

std::string describe(const OutOfMemory&) {
  return describe(RuntimeExited{.exit_code = {}, .signal = SIGKILL});
}

std::string describe(const ExtensionFailed& failed) {
  if (failed.signal) return "signal: " + signal_name(*failed.signal);
  if (failed.exit_code) return "exit status " + std::to_string(*failed.exit_code);
  return failed.reason;
}

RestoreFailed restore_failure(const Outcome& outcome) {
  RestoreFailed failed{.kind = RestoreFailed::Kind::failed,
                       .error_type = std::string(error_type(outcome)),
                       .reason = "the environment ended while it was restored"};
  if (const auto* exited = std::get_if<RuntimeExited>(&outcome)) failed.reason = describe(*exited);
  if (const auto* out = std::get_if<OutOfMemory>(&outcome)) failed.reason = describe(*out);
  if (const auto* one = std::get_if<ExtensionFailed>(&outcome)) failed.reason = describe(*one);
  return failed;
}

std::string describe(const TimedOut& timed_out) {
  std::array<char, 64> text{};
  std::snprintf(text.data(),
                text.size(),
                "Task timed out after %.2f seconds",
                std::chrono::duration<double>(timed_out.limit).count());
  return text.data();
}

}  // namespace emulator::environment
