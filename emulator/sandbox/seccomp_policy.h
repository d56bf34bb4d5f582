// Which system calls a function may not make: a data file with a reason for each rule, compiled
// once into a filter that a child installs before exec. A denied call gets EPERM.
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
  // Denied only when argument `index`, masked, equals (or does not equal) `value`.
  struct Condition {
    unsigned index = 0;
    std::uint64_t mask = ~std::uint64_t{0};
    std::uint64_t value = 0;
    bool equal = true;
    bool operator==(const Condition&) const = default;
  };
  std::vector<std::string> calls;
  std::optional<Condition> condition;
  std::string reason;
  int error_number = 1;  // EPERM; ENOSYS for calls whose arguments no filter can see
  bool operator==(const SystemCallRule&) const = default;
};

struct SeccompPolicy {
  std::vector<SystemCallRule> rules;
};

struct SeccompError {
  std::string message;
};

tl::expected<SeccompPolicy, SeccompError> parse_policy(std::string_view json);

// emulator/sandbox/default_policy.json, embedded.
const SeccompPolicy& default_policy();

// For this machine's architecture and the others it runs. The result can be given to
// seccomp(SECCOMP_SET_MODE_FILTER) in a child without allocating.
tl::expected<std::vector<sock_filter>, SeccompError> compile(const SeccompPolicy& policy);

}  // namespace emulator::sandbox
