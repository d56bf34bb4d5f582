// A fixed piece of work on one thread: counts the primes up to {"up_to":N}, {"times":T} times (1),
// by trial division, and tells what that took. What differs between memory sizes is then the
// machine alone.
#include "handlers/runtime_client/runtime_client.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>

namespace {

using Json = nlohmann::ordered_json;

constexpr std::uint32_t kLargest = 100'000'000;  // ours: i * i stays in 32 bits far beyond it

double milliseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

bool is_prime(std::uint32_t number) {
  if (number % 2 == 0) return number == 2;
  for (std::uint32_t divisor = 3; divisor * divisor <= number; divisor += 2) {
    if (number % divisor == 0) return false;
  }
  return number > 1;
}

std::uint32_t primes_up_to(std::uint32_t largest) {
  std::uint32_t count = 0;
  for (std::uint32_t number = 2; number <= largest; ++number) {
    if (is_prime(number)) ++count;
  }
  return count;
}

runtime_client::Result count_primes(const runtime_client::Invocation& invocation) {
  const auto event = Json::parse(invocation.payload, nullptr, false);
  const auto up_to = event.is_object() ? event.value("up_to", Json()) : Json();
  const auto times = event.is_object() ? event.value("times", Json(1U)) : Json();
  if (!up_to.is_number_unsigned() || up_to > kLargest || !times.is_number_unsigned()) {
    return runtime_client::Result::error(
        "BadEvent",
        "the event must be {\"up_to\":N,\"times\":T}, N at most " + std::to_string(kLargest));
  }
  const auto cpu = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
  const auto wall = milliseconds(CLOCK_MONOTONIC);
  std::uint32_t count = 0;
  // Through a volatile, or the compiler would count once for all times.
  volatile std::uint32_t largest = up_to;
  for (std::uint64_t left = times; left > 0; --left) count = primes_up_to(largest);
  const Json found = {{"count", count},
                      {"cpu_ms", milliseconds(CLOCK_PROCESS_CPUTIME_ID) - cpu},
                      {"wall_ms", milliseconds(CLOCK_MONOTONIC) - wall}};
  return runtime_client::Result::response(found.dump());
}

}  // namespace

int main() { return runtime_client::run(count_primes); }
