#include "emulator/environment/concurrency.h"

#include "tests/support/manual_clock.h"

#include <catch2/catch_test_macros.hpp>

#include <array>
#include <map>
#include <random>
#include <string>
#include <vector>

using namespace emulator::environment;
using namespace std::chrono_literals;

namespace {

using Start = Concurrency::Start;
constexpr auto kRequest = InvocationKind::request_response;
constexpr auto kEvent = InvocationKind::event;

// Neither rate nor scaling: only concurrency counts.
ConcurrencyLimits only(std::size_t account) {
  return {.account = account, .scaling_burst = 1'000'000, .requests_per_unit = 0};
}

// Why not; nothing: it was admitted.
std::optional<ThrottleReason> refusal(Concurrency& concurrency,
                                      const std::string& function,
                                      InvocationKind kind = kRequest,
                                      Start start = Start::reuse) {
  const auto admitted = concurrency.admit(function, kind, start);
  if (admitted) return std::nullopt;
  return admitted.error().reason;
}

// How many are admitted until one is refused.
std::size_t fill(Concurrency& concurrency, const std::string& function) {
  std::size_t admitted = 0;
  while (!refusal(concurrency, function)) ++admitted;
  return admitted;
}

}  // namespace

TEST_CASE("functions share the account's concurrency, and whoever ends makes room") {
  tests::ManualClock clock;
  Concurrency concurrency(only(3), clock);
  CHECK_FALSE(refusal(concurrency, "a"));
  CHECK_FALSE(refusal(concurrency, "b", kEvent));
  CHECK_FALSE(refusal(concurrency, "c"));
  CHECK(refusal(concurrency, "a") == ThrottleReason::account_exceeded);
  CHECK(refusal(concurrency, "d", kEvent) == ThrottleReason::account_exceeded);
  concurrency.release("b");
  CHECK_FALSE(refusal(concurrency, "a"));
  CHECK(concurrency.use().in_flight == 3);
  CHECK(concurrency.in_flight("a") == 2);
  CHECK(concurrency.in_flight("never seen") == 0);
}

TEST_CASE("a refusal for concurrency names no time to come again") {
  tests::ManualClock clock;
  Concurrency concurrency(only(0), clock);
  const auto refused = concurrency.admit("f", kRequest, Start::reuse);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().retry_after == 0ms);
}

TEST_CASE("a reservation is the function's ceiling and nobody else's") {
  tests::ManualClock clock;
  Concurrency concurrency(only(10), clock);
  concurrency.set_reserved("r", 4);
  CHECK(concurrency.use().unreserved_limit == 6);
  CHECK(fill(concurrency, "other") == 6);
  CHECK(fill(concurrency, "r") == 4);
  CHECK(refusal(concurrency, "r") == ThrottleReason::reserved_exceeded);
  CHECK(refusal(concurrency, "other") == ThrottleReason::account_exceeded);
  CHECK(concurrency.use().in_flight == 10);
}

TEST_CASE("a reservation of nothing stops a function and gives the others all") {
  tests::ManualClock clock;
  Concurrency concurrency(only(2), clock);
  concurrency.set_reserved("stopped", 0);
  CHECK(refusal(concurrency, "stopped") == ThrottleReason::reserved_exceeded);
  CHECK(refusal(concurrency, "stopped", kEvent) == ThrottleReason::reserved_exceeded);
  CHECK(fill(concurrency, "other") == 2);
  concurrency.release("other");
  concurrency.set_reserved("stopped", std::nullopt);
  CHECK_FALSE(refusal(concurrency, "stopped"));
}

TEST_CASE("what already runs is counted where the function belongs now") {
  tests::ManualClock clock;
  Concurrency concurrency(only(5), clock);
  REQUIRE_FALSE(refusal(concurrency, "f"));
  REQUIRE_FALSE(refusal(concurrency, "f"));
  concurrency.set_reserved("f", 3);
  CHECK(concurrency.use().unreserved_in_flight == 0);
  CHECK(fill(concurrency, "f") == 1);
  CHECK(fill(concurrency, "other") == 2);
  concurrency.set_reserved("f", std::nullopt);
  CHECK(concurrency.use().unreserved_in_flight == 5);
  for (int i = 0; i < 3; ++i) concurrency.release("f");
  for (int i = 0; i < 2; ++i) concurrency.release("other");
  CHECK(concurrency.use().in_flight == 0);
  CHECK(concurrency.use().unreserved_in_flight == 0);
  CHECK(fill(concurrency, "f") == 5);
}

TEST_CASE("a reservation lowered below what runs ends nothing and admits nobody until it fits") {
  tests::ManualClock clock;
  Concurrency concurrency(only(5), clock);
  concurrency.set_reserved("f", 3);
  REQUIRE(fill(concurrency, "f") == 3);
  concurrency.set_reserved("f", 1);
  concurrency.release("f");
  concurrency.release("f");
  CHECK(refusal(concurrency, "f") == ThrottleReason::reserved_exceeded);
  concurrency.release("f");
  CHECK_FALSE(refusal(concurrency, "f"));
}

TEST_CASE("a reservation made while others use it waits for them rather than pass the account's") {
  tests::ManualClock clock;
  Concurrency concurrency(only(4), clock);
  REQUIRE(fill(concurrency, "other") == 4);
  concurrency.set_reserved("f", 2);
  CHECK(refusal(concurrency, "f") == ThrottleReason::account_exceeded);
  concurrency.release("other");
  CHECK_FALSE(refusal(concurrency, "f"));
  CHECK(refusal(concurrency, "other") == ThrottleReason::account_exceeded);
}

TEST_CASE("provisioned units leave the unreserved pool whether used or not") {
  tests::ManualClock clock;
  Concurrency concurrency(only(10), clock);
  concurrency.set_provisioned("p", 4);
  CHECK(fill(concurrency, "other") == 6);
  TokenBucket requests;
  for (int i = 0; i < 4; ++i) CHECK(concurrency.admit_provisioned("p", kRequest, requests, 4));
  CHECK(refusal(concurrency, "p") == ThrottleReason::account_exceeded);
  CHECK(concurrency.use().in_flight == 10);
  concurrency.release("other");
  CHECK_FALSE(refusal(concurrency, "p"));  // it spills over
  for (int i = 0; i < 4; ++i) concurrency.release_provisioned("p");
  concurrency.set_provisioned("p", 0);
  CHECK(concurrency.use().unreserved_limit == 10);
}

TEST_CASE("provisioned units of a function with a reservation come out of that") {
  tests::ManualClock clock;
  Concurrency concurrency(only(10), clock);
  concurrency.set_reserved("p", 5);
  concurrency.set_provisioned("p", 3);
  CHECK(concurrency.use().unreserved_limit == 5);
  CHECK(fill(concurrency, "p") == 2);
  TokenBucket requests;
  for (int i = 0; i < 3; ++i) CHECK(concurrency.admit_provisioned("p", kEvent, requests, 3));
  const auto refused = concurrency.admit_provisioned("p", kEvent, requests, 3);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::reserved_exceeded);
}

TEST_CASE("synchronous requests are limited by the second, events are not") {
  tests::ManualClock clock;
  Concurrency concurrency({.account = 2}, clock);
  const auto call = [&](const std::string& function, InvocationKind kind) {
    const auto reason = refusal(concurrency, function, kind);
    if (!reason) concurrency.release(function);
    return reason;
  };
  for (int i = 0; i < 10; ++i) {
    CHECK_FALSE(call("a", kRequest));
    CHECK_FALSE(call("b", kRequest));
  }
  CHECK(call("a", kRequest) == ThrottleReason::function_rate);
  CHECK_FALSE(call("a", kEvent));
  const auto refused = concurrency.admit("b", kRequest, Start::reuse);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().retry_after == 50ms);
  clock.advance(49ms);
  CHECK(call("b", kRequest) == ThrottleReason::function_rate);
  clock.advance(1ms);
  CHECK_FALSE(call("b", kRequest));
  CHECK(call("a", kRequest) == ThrottleReason::function_rate);
  clock.advance(1h);
  for (int i = 0; i < 20; ++i) CHECK_FALSE(call("a", kRequest));
  CHECK(call("a", kRequest) == ThrottleReason::function_rate);
}

TEST_CASE("a reserved function has a rate of its own") {
  tests::ManualClock clock;
  Concurrency concurrency({.account = 3}, clock);
  concurrency.set_reserved("r", 1);
  for (int i = 0; i < 10; ++i) {
    REQUIRE_FALSE(refusal(concurrency, "r"));
    concurrency.release("r");
  }
  const auto refused = concurrency.admit("r", kRequest, Start::reuse);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::reserved_rate);
  CHECK(refused.error().retry_after == 100ms);
  CHECK_FALSE(refusal(concurrency, "other"));
}

TEST_CASE("a version's provisioned environments have ten requests a second each") {
  tests::ManualClock clock;
  Concurrency concurrency({.account = 10}, clock);
  concurrency.set_provisioned("p", 2);
  TokenBucket requests;
  for (int i = 0; i < 20; ++i) {
    REQUIRE(concurrency.admit_provisioned("p", kRequest, requests, 2));
    concurrency.release_provisioned("p");
  }
  const auto refused = concurrency.admit_provisioned("p", kRequest, requests, 2);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().reason == ThrottleReason::function_rate);
  CHECK(refused.error().retry_after == 50ms);
  CHECK(concurrency.admit_provisioned("p", kEvent, requests, 2));
}

TEST_CASE("a function starts no more new environments than it may scale by, each for itself") {
  tests::ManualClock clock;
  Concurrency concurrency(
      {.account = 100, .scaling_burst = 3, .scaling_window = 10s, .requests_per_unit = 0}, clock);
  concurrency.set_reserved("r", 10);
  for (int i = 0; i < 3; ++i) {
    CHECK_FALSE(refusal(concurrency, "f", kRequest, Start::make));
    CHECK_FALSE(refusal(concurrency, "r", kEvent, Start::make));
  }
  CHECK(refusal(concurrency, "f", kRequest, Start::make) == ThrottleReason::account_exceeded);
  CHECK(refusal(concurrency, "r", kEvent, Start::make) == ThrottleReason::reserved_exceeded);
  CHECK_FALSE(refusal(concurrency, "f", kRequest, Start::reuse));
  CHECK_FALSE(refusal(concurrency, "other", kRequest, Start::make));
  const auto refused = concurrency.admit("f", kRequest, Start::make);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().retry_after == 3'334ms);
  clock.advance(refused.error().retry_after);
  CHECK_FALSE(refusal(concurrency, "f", kRequest, Start::make));
}

TEST_CASE("whoever is refused for one limit spends nothing of the others") {
  tests::ManualClock clock;
  Concurrency concurrency({.account = 1, .scaling_burst = 1, .requests_per_unit = 10}, clock);
  REQUIRE_FALSE(refusal(concurrency, "f", kRequest, Start::make));
  // For concurrency: no request is spent.
  for (int i = 0; i < 50; ++i) CHECK(refusal(concurrency, "f") == ThrottleReason::account_exceeded);
  concurrency.release("f");
  // For scaling: neither.
  for (int i = 0; i < 50; ++i) {
    CHECK(refusal(concurrency, "f", kRequest, Start::make) == ThrottleReason::account_exceeded);
  }
  for (int i = 0; i < 9; ++i) {
    CHECK_FALSE(refusal(concurrency, "f"));
    concurrency.release("f");
  }
  // For the rate: no environment is.
  CHECK(refusal(concurrency, "g", kRequest, Start::make) == ThrottleReason::function_rate);
  CHECK_FALSE(refusal(concurrency, "g", kEvent, Start::make));
}

TEST_CASE("functions that come and go leave nothing behind but what still counts") {
  tests::ManualClock clock;
  Concurrency concurrency({.account = 5, .scaling_burst = 1, .requests_per_unit = 0}, clock);
  concurrency.set_reserved("kept", 1);
  REQUIRE_FALSE(refusal(concurrency, "busy"));
  REQUIRE_FALSE(refusal(concurrency, "new", kRequest, Start::make));
  for (int i = 0; i < 10'000; ++i) {
    const auto name = "f" + std::to_string(i);
    REQUIRE_FALSE(refusal(concurrency, name));
    concurrency.release(name);
  }
  CHECK(concurrency.in_flight("busy") == 1);
  CHECK(concurrency.use().unreserved_limit == 4);
  CHECK(refusal(concurrency, "new", kRequest, Start::make) == ThrottleReason::account_exceeded);
  CHECK(concurrency.use().in_flight == 2);
}

namespace {

// The rules once more, as plainly as they can be written: sums over all functions.
struct Model {
  struct Function {
    std::optional<std::size_t> reserved;
    std::size_t provisioned = 0;
    std::size_t on_demand_running = 0;
    std::size_t provisioned_running = 0;
    std::size_t running() const { return on_demand_running + provisioned_running; }
  };
  std::size_t account = 0;
  std::map<std::string, Function> functions;

  std::size_t running() const {
    std::size_t sum = 0;
    for (const auto& [_, f] : functions) sum += f.running();
    return sum;
  }
  std::size_t set_aside() const {
    std::size_t sum = 0;
    for (const auto& [_, f] : functions) sum += f.reserved ? *f.reserved : f.provisioned;
    return sum;
  }
  std::size_t unreserved_running() const {
    std::size_t sum = 0;
    for (const auto& [_, f] : functions) sum += f.reserved ? 0 : f.on_demand_running;
    return sum;
  }
  bool admits(const Function& f) const {
    if (running() >= account) return false;
    if (!f.reserved) return unreserved_running() + set_aside() < account;
    return f.on_demand_running + f.provisioned < *f.reserved && f.running() < *f.reserved;
  }
  bool admits_provisioned(const Function& f) const {
    return running() < account && (!f.reserved || f.running() < *f.reserved);
  }
};

constexpr std::array<const char*, 4> kNames = {"a", "b", "c", "d"};

// One step of chance; what the rules forbid for configurations, the control plane refuses.
void step(Concurrency& concurrency, Model& model, std::mt19937_64& random) {
  const std::string name = kNames[random() % kNames.size()];
  auto& f = model.functions[name];
  const auto before = f;
  switch (random() % 8) {
    case 0: {
      f.reserved = std::nullopt;
      if (random() % 3 != 0) f.reserved = random() % (model.account + 1);
      const bool valid =
          model.set_aside() <= model.account && (!f.reserved || f.provisioned <= *f.reserved);
      valid ? concurrency.set_reserved(name, f.reserved) : void(f = before);
      return;
    }
    case 1: {
      f.provisioned = random() % 4;
      const bool valid = model.set_aside() <= model.account &&
                         f.provisioned >= f.provisioned_running &&
                         (!f.reserved || f.provisioned <= *f.reserved);
      valid ? concurrency.set_provisioned(name, f.provisioned) : void(f = before);
      return;
    }
    case 2:
    case 3: {
      const bool expected = model.admits(f);
      REQUIRE(concurrency.admit(name, kRequest, Start::make).has_value() == expected);
      if (expected) ++f.on_demand_running;
      return;
    }
    case 4: {
      if (f.provisioned_running >= f.provisioned) return;
      TokenBucket requests;
      const bool expected = model.admits_provisioned(f);
      REQUIRE(concurrency.admit_provisioned(name, kRequest, requests, f.provisioned).has_value() ==
              expected);
      if (expected) ++f.provisioned_running;
      return;
    }
    case 5:
      if (f.provisioned_running == 0) return;
      concurrency.release_provisioned(name);
      --f.provisioned_running;
      return;
    default:
      if (f.on_demand_running == 0) return;
      concurrency.release(name);
      --f.on_demand_running;
      return;
  }
}

}  // namespace

TEST_CASE("over any schedule nobody is admitted beyond a reservation, the rest or the account") {
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    CAPTURE(seed);
    std::mt19937_64 random(seed);
    tests::ManualClock clock;
    Model model;
    model.account = 1 + random() % 12;
    Concurrency concurrency(only(model.account), clock);
    for (int i = 0; i < 400; ++i) {
      CAPTURE(i);
      step(concurrency, model, random);
      REQUIRE(model.running() <= model.account);
      REQUIRE(concurrency.use().in_flight == model.running());
      REQUIRE(concurrency.use().unreserved_in_flight == model.unreserved_running());
      REQUIRE(concurrency.use().unreserved_limit == model.account - model.set_aside());
    }
    for (auto& [name, f] : model.functions) {
      for (; f.on_demand_running > 0; --f.on_demand_running) concurrency.release(name);
      for (; f.provisioned_running > 0; --f.provisioned_running) {
        concurrency.release_provisioned(name);
      }
      concurrency.set_reserved(name, std::nullopt);
      concurrency.set_provisioned(name, 0);
    }
    REQUIRE(fill(concurrency, "a") == model.account);
  }
}
