#include "emulator/sandbox/seccomp_policy.h"

#include "tests/support/filter_machine.h"

#include <catch2/catch_test_macros.hpp>
#include <seccomp.h>

#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

using namespace emulator::sandbox;
using tests::Call;
using tests::verdict;
using Condition = SystemCallRule::Condition;

namespace {

std::vector<sock_filter> compiled(const SeccompPolicy& policy) {
  auto program = compile(policy);
  REQUIRE(program);
  return *program;
}

std::string complaint(const std::string& json) {
  const auto policy = parse_policy(json);
  REQUIRE_FALSE(policy);
  return policy.error().message;
}

SeccompPolicy parsed(const std::string& json) {
  auto policy = parse_policy(json);
  if (!policy) FAIL(policy.error().message);
  return *policy;
}

bool mentions(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

std::string rule(const std::string& members) { return R"({"rules": [{)" + members + "}]}"; }

std::string with_condition(const std::string& when) {
  return rule(R"("calls": ["ioctl"], "reason": "r", "when": )" + when);
}

// A value of the argument for which the condition denies; one of the denied ones, for each value
// the rule names.
std::vector<std::uint32_t> denied_examples(const Condition& condition) {
  if (condition.test != Condition::Test::none_of) return condition.values;
  std::vector<std::uint32_t> examples;
  for (const auto value : condition.values) {
    for (const std::uint32_t other : {value + 1, value ^ 0x40u, value ^ 0x8000'0000u}) {
      if (std::count(condition.values.begin(), condition.values.end(), other) == 0) {
        examples.push_back(other);
      }
    }
  }
  return examples;
}

// What the rule is there to deny, on this machine.
std::vector<Call> denied_calls(const SystemCallRule& rule, const std::string& name) {
  const int number = seccomp_syscall_resolve_name(name.c_str());
  if (number < 0) return {};
  if (!rule.condition) return {{.number = number}};
  std::vector<Call> calls;
  for (const auto value : denied_examples(*rule.condition)) {
    Call call{.number = number};
    call.arguments.at(rule.condition->argument) = value;
    calls.push_back(call);
  }
  return calls;
}

// Of the default policy's calls those that this machine does not have.
std::set<std::string> absent_calls() {
  std::set<std::string> absent;
  for (const auto& rule : default_policy().rules) {
    for (const auto& call : rule.calls) {
      if (seccomp_syscall_resolve_name(call.c_str()) < 0) absent.insert(call);
    }
  }
  return absent;
}

Call personality(std::uint64_t persona) {
  return {.number = SYS_personality, .arguments = {persona}};
}

std::uint32_t denied_with(int error_number) {
  return SECCOMP_RET_ERRNO | static_cast<std::uint32_t>(error_number);
}

}  // namespace

TEST_CASE("every rule of the default policy names calls and gives a reason", "[seccomp]") {
  REQUIRE_FALSE(default_policy().rules.empty());
  std::set<std::string> named;
  for (const auto& rule : default_policy().rules) {
    REQUIRE_FALSE(rule.calls.empty());
    INFO(rule.calls.front());
    CHECK(rule.reason.size() > 20);
    CHECK(rule.reason.ends_with('.'));
    const bool hides_arguments = rule.calls == std::vector<std::string>{"clone3"};
    CHECK(rule.error_number == (hides_arguments ? ENOSYS : EPERM));
    for (const auto& call : rule.calls) CHECK(named.insert(call).second);
  }
}

TEST_CASE("each call of the default policy is denied, and by its own rule alone", "[seccomp]") {
  const auto filter = compiled(default_policy());
  for (std::size_t i = 0; i < default_policy().rules.size(); ++i) {
    const auto& rule = default_policy().rules[i];
    auto others = default_policy();
    others.rules.erase(others.rules.begin() + static_cast<std::ptrdiff_t>(i));
    const auto without = compiled(others);
    for (const auto& name : rule.calls) {
      for (const auto& call : denied_calls(rule, name)) {
        INFO(name << " with " << std::hex << call.arguments[0] << ", " << call.arguments[1]);
        CHECK(verdict(filter, call) == denied_with(rule.error_number));
        CHECK(verdict(without, call) == SECCOMP_RET_ALLOW);
      }
    }
  }
}

TEST_CASE("a call that only other machines have is left out of the filter", "[seccomp]") {
#if defined(__x86_64__)
  CHECK(absent_calls() ==
        std::set<std::string>{
            "umount", "stime", "clock_settime64", "clock_adjtime64", "vm86", "vm86old"});
#elif defined(__aarch64__)
  const auto absent = absent_calls();
  CHECK(absent.count("iopl") == 1);
  CHECK(absent.count("mount") == 0);
#else
  SKIP("SKIPPED: what this machine lacks has not been written down");
#endif
  const auto policy =
      parsed(rule(R"("calls": ["umount", "vm86", "mount"], "reason": "two are of 32 bits")"));
  CHECK(verdict(compiled(policy), {.number = SYS_mount}) == denied_with(EPERM));
}

TEST_CASE("a call that no machine has is refused, for it would deny nothing", "[seccomp]") {
  const auto program = compile(parsed(rule(R"("calls": ["monut"], "reason": "misspelt")")));
  REQUIRE_FALSE(program);
  CHECK(mentions(program.error().message, "'monut'"));
  CHECK(mentions(program.error().message, "mend its name"));
}

TEST_CASE("calls through another ABI of this machine are told that it is not there", "[seccomp]") {
  for (const auto& policy : {default_policy(), SeccompPolicy{}}) {
    const auto filter = compiled(policy);
    CHECK(verdict(filter, {.number = SYS_getpid}) == SECCOMP_RET_ALLOW);
    CHECK(verdict(filter, {.number = SYS_getpid, .architecture = tests::kForeignArchitecture}) ==
          denied_with(ENOSYS));
#if defined(__x86_64__)
    constexpr int kX32 = 0x4000'0000;
    CHECK(verdict(filter, {.number = kX32 | SYS_getpid}) == denied_with(ENOSYS));
#endif
  }
}

TEST_CASE("only the low 32 bits of an argument decide, as in the kernel", "[seccomp]") {
  constexpr std::uint64_t kAbove = 0xdead'beef'0000'0000;
  const auto filter = compiled(default_policy());
  const auto tiocsti = [&](std::uint64_t above) {
    return verdict(filter, {.number = SYS_ioctl, .arguments = {0, above | 0x5412}});
  };
  CHECK(tiocsti(0) == denied_with(EPERM));
  CHECK(tiocsti(kAbove) == denied_with(EPERM));
  CHECK(verdict(filter, personality(kAbove)) == SECCOMP_RET_ALLOW);
  CHECK(verdict(filter, personality(kAbove | 0x40'0000)) == denied_with(EPERM));
}

TEST_CASE("a condition leaves every other value of its argument alone", "[seccomp]") {
  const auto filter = compiled(default_policy());
  const auto allowed = [&](int number, std::array<std::uint64_t, 6> arguments) {
    return verdict(filter, {.number = number, .arguments = arguments}) == SECCOMP_RET_ALLOW;
  };
  // What the C library asks for when it starts a process, and a thread.
  CHECK(allowed(SYS_clone, {0x1200011}));
  CHECK(allowed(SYS_clone, {0x3d0f00}));
  CHECK(allowed(SYS_unshare, {0x600}));  // CLONE_FS and CLONE_FILES
  CHECK(allowed(SYS_ioctl, {0, 0x5413}));
  CHECK(allowed(SYS_ioctl, {0x5412, 0}));
  for (std::uint64_t family = 0; family < 64; ++family) {
    const bool known = family == 1 || family == 2 || family == 10 || family == 16;
    CHECK(allowed(SYS_socket, {family, 3}) == known);
    CHECK(allowed(SYS_socketpair, {family, 3}) == known);
  }
}

TEST_CASE("of all personalities exactly the listed ones are allowed", "[seccomp]") {
  const auto filter = compiled(default_policy());
  const std::set<std::uint32_t> allowed = {
      0, 8, 0x2'0000, 0x2'0008, 0x4'0000, 0x4'0008, 0xffff'ffff};
  std::set<std::uint32_t> tried = allowed;
  for (const auto base : allowed) {
    for (int i = 0; i < 32; ++i) {
      for (int j = 0; j < 32; ++j) tried.insert(base ^ (1u << i) ^ (1u << j));
    }
  }
  for (const auto persona : tried) {
    const auto expected = allowed.count(persona) == 1 ? SECCOMP_RET_ALLOW : denied_with(EPERM);
    if (verdict(filter, personality(persona)) != expected) FAIL("persona " << persona);
  }
  CHECK(tried.size() > 2000);
}

TEST_CASE("a function may still confine itself, and do what runtimes do", "[seccomp]") {
  const auto filter = compiled(default_policy());
  for (const long number : {SYS_seccomp,
                            SYS_prctl,
                            SYS_openat2,
                            SYS_pidfd_open,
                            SYS_memfd_create,
                            SYS_mbind,
                            SYS_sched_setaffinity,
                            SYS_membarrier,
                            SYS_rseq,
                            SYS_execveat,
                            SYS_close_range,
                            SYS_inotify_init1,
                            SYS_statx,
                            SYS_mlock,
                            SYS_setitimer,
                            SYS_clock_gettime}) {
    CHECK(verdict(filter, {.number = static_cast<int>(number)}) == SECCOMP_RET_ALLOW);
  }
}

TEST_CASE("an empty policy denies nothing", "[seccomp]") {
  const auto filter = compiled(parsed(R"({"rules": []})"));
  CHECK(verdict(filter, {.number = SYS_mount}) == SECCOMP_RET_ALLOW);
}

TEST_CASE("a rule is read with its condition and its answer", "[seccomp]") {
  const auto policy = parsed(rule(R"("calls": ["a", "b"], "reason": "why", "errno": "ENOSYS",
      "when": {"argument": 2, "any_bit_of": {"A": "0x1", "B": "0xF0000000"}})"));
  REQUIRE(policy.rules.size() == 1);
  CHECK(policy.rules[0] ==
        SystemCallRule{.calls = {"a", "b"},
                       .condition = Condition{.argument = 2,
                                              .test = Condition::Test::any_bit_of,
                                              .values = {1, 0xf000'0000}},
                       .reason = "why",
                       .error_number = ENOSYS});
}

TEST_CASE("a policy that cannot be read is refused with a sentence that says where", "[seccomp]") {
  CHECK(mentions(complaint("{\"rules\": [}"), "is not JSON"));
  CHECK(mentions(complaint("[]"), "the policy must be an object"));
  CHECK(mentions(complaint("{}"), "needs a list named 'rules'"));
  CHECK(mentions(complaint(R"({"rules": [], "allow": []})"), "'allow', which means nothing"));
  CHECK(mentions(complaint(R"({"rules": [7]})"), "rules[0] must be an object"));
  CHECK(mentions(complaint(rule(R"("reason": "r")")), "rules[0] denies nothing"));
  CHECK(mentions(complaint(rule(R"("calls": [], "reason": "r")")), "rules[0] denies nothing"));
  CHECK(mentions(complaint(rule(R"("calls": [1], "reason": "r")")), "names of system calls only"));
  CHECK(mentions(complaint(rule(R"("calls": ["bpf"])")), "rules[0] has no reason"));
  CHECK(mentions(complaint(rule(R"("calls": ["bpf"], "reason": "")")), "has no reason"));
  CHECK(mentions(complaint(rule(R"("calls": ["bpf"], "reason": "r", "errno": "EIO")")),
                 "rules[0].errno must be EPERM or ENOSYS"));
  CHECK(mentions(complaint(rule(R"("calls": ["bpf"], "reason": "r", "when ": {})")),
                 "'when ', which means nothing; it may have: calls, when, reason, errno"));
}

TEST_CASE("a condition that cannot be read is refused with a sentence that says where",
          "[seccomp]") {
  CHECK(mentions(complaint(with_condition(R"({"one_of": {"A": "0x1"}})")), "needs 'argument'"));
  CHECK(mentions(complaint(with_condition(R"({"argument": 6, "one_of": {"A": "0x1"}})")),
                 "from 0 to 5"));
  CHECK(mentions(complaint(with_condition(R"({"argument": 0})")), "exactly one of"));
  CHECK(mentions(complaint(with_condition(
                     R"({"argument": 0, "one_of": {"A": "0x1"}, "none_of": {"A": "0x1"}})")),
                 "exactly one of"));
  CHECK(mentions(complaint(with_condition(R"({"argument": 0, "one_of": {}})")),
                 "at least one value"));
  for (const auto* value : {"1", "\"1\"", "\"0x\"", "\"0xg\"", "\"0x100000000\"", "\"0x1 \""}) {
    const auto message = complaint(
        with_condition(R"({"argument": 0, "one_of": {"A": )" + std::string(value) + "}}"));
    CHECK(mentions(message, "rules[0].when.one_of.A must be a number of 32 bits"));
  }
}

TEST_CASE("a call that two rules name is refused", "[seccomp]") {
  CHECK(mentions(complaint(R"({"rules": [{"calls": ["bpf"], "reason": "r"},
                                         {"calls": ["mount", "bpf"], "reason": "s"}]})"),
                 "rules[1] names bpf, which is denied already"));
}
