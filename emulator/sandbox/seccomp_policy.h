// Which system calls a function may not make: a data file with a reason for each rule, compiled
// once into a filter that a child installs before exec.
//
// What no rule names is allowed: a function on Lambda has a whole guest kernel, and runtimes must
// not notice that here they share one. A denied call answers EPERM and does nothing else.
//
// Values and pure functions; any thread.
#pragma once

#include <tl/expected.hpp>

#include <linux/filter.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::sandbox {

struct SystemCallRule {
  // When the calls are denied; they are allowed otherwise. Only the low 32 bits of the argument
  // count, for these are all that the kernel looks at in the arguments concerned.
  struct Condition {
    enum class Test {
      any_bit_of,  // has a bit that is set in one of `values`
      one_of,      // is one of `values`
      none_of,     // is none of `values`
    };
    unsigned argument = 0;  // 0 to 5
    Test test = Test::one_of;
    std::vector<std::uint32_t> values;
    bool operator==(const Condition&) const = default;
  };
  std::vector<std::string> calls;
  std::optional<Condition> condition;  // nothing: always denied
  std::string reason;
  int error_number = 1;  // EPERM; ENOSYS where a C library then takes another call
  bool operator==(const SystemCallRule&) const = default;
};

// No call is named twice.
struct SeccompPolicy {
  std::vector<SystemCallRule> rules;
  bool operator==(const SeccompPolicy&) const = default;
};

struct SeccompError {
  std::string message;  // a sentence: what, where, how to mend
};

// {"rules": [{"calls": ["unshare"], "reason": "…", "errno": "EPERM",
//             "when": {"argument": 0, "any_bit_of": {"CLONE_NEWNS": "0x20000"}}}]}
// `when` and `errno` may be left out; the names of values are for people.
tl::expected<SeccompPolicy, SeccompError> parse_policy(std::string_view text);

// emulator/sandbox/default_policy.json, embedded.
const SeccompPolicy& default_policy();

// For this machine's native system calls; those that only other machines have are left out, and
// names that libseccomp has never heard of are refused. Calls through another ABI of the same
// machine (32-bit, x32) all answer ENOSYS, as on a kernel built without: the 32-bit one hides the
// arguments of socket() where no filter can read them.
//
// Takes about 0.6 ms and some memory, so compile once and keep the result: a child gives it to
// seccomp(SECCOMP_SET_MODE_FILTER) without allocating, in about 0.08 ms. The flag
// SECCOMP_FILTER_FLAG_SPEC_ALLOW goes with it, or kernels before 5.16 slow the function down.
tl::expected<std::vector<sock_filter>, SeccompError> compile(const SeccompPolicy& policy);

}  // namespace emulator::sandbox
