#include "emulator/sandbox/seccomp_policy.h"

#include "embedded_sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <nlohmann/json.hpp>
#include <seccomp.h>

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <memory>
#include <set>
#include <system_error>
#include <utility>

namespace emulator::sandbox {
namespace {

using nlohmann::json;
using Condition = SystemCallRule::Condition;

constexpr unsigned kArguments = 6;  // of a system call on every machine
constexpr int kHighestBit = 31;

struct Refused {
  std::string message;
};

[[noreturn]] void refuse(const std::string& where, const std::string& what) {
  throw Refused{where + " " + what};
}

void refuse_unknown_members(const json& object,
                            std::initializer_list<std::string_view> known,
                            const std::string& where) {
  if (!object.is_object()) refuse(where, "must be an object.");
  for (const auto& [name, value] : object.items()) {
    if (std::find(known.begin(), known.end(), name) == known.end()) {
      std::string names;
      for (const auto member : known) names += (names.empty() ? "" : ", ") + std::string(member);
      refuse(where, "has the member '" + name + "', which means nothing; it may have: " + names);
    }
  }
}

std::uint32_t parse_value(const json& text, const std::string& where) {
  if (text.is_string()) {
    const auto& digits = text.get_ref<const std::string&>();
    std::uint32_t value = 0;
    const char* end = digits.data() + digits.size();
    if (digits.starts_with("0x")) {
      const auto [stop, error] = std::from_chars(digits.data() + 2, end, value, 16);
      if (error == std::errc{} && stop == end) return value;
    }
  }
  refuse(where, "must be a number of 32 bits in hexadecimal, such as \"0x5412\".");
}

Condition parse_condition(const json& when, const std::string& where) {
  constexpr std::pair<const char*, Condition::Test> kTests[] = {
      {"any_bit_of", Condition::Test::any_bit_of},
      {"one_of", Condition::Test::one_of},
      {"none_of", Condition::Test::none_of}};
  refuse_unknown_members(when, {"argument", "any_bit_of", "one_of", "none_of"}, where);
  Condition condition;
  const auto argument = when.find("argument");
  if (argument == when.end() || !argument->is_number_unsigned() ||
      argument->get<std::uint64_t>() >= kArguments) {
    refuse(where, "needs 'argument', the number of the argument to look at, from 0 to 5.");
  }
  condition.argument = argument->get<unsigned>();
  if (when.size() != 2) refuse(where, "needs exactly one of any_bit_of, one_of and none_of.");
  for (const auto& [name, test] : kTests) {
    const auto values = when.find(name);
    if (values == when.end()) continue;
    condition.test = test;
    if (!values->is_object() || values->empty()) {
      refuse(where + "." + name, "must name at least one value, as {\"TIOCSTI\": \"0x5412\"}.");
    }
    for (const auto& [label, value] : values->items()) {
      condition.values.push_back(parse_value(value, where + "." + name + "." + label));
    }
  }
  return condition;
}

int parse_error_number(const json& rule, const std::string& where) {
  const auto name = rule.find("errno");
  if (name == rule.end() || *name == "EPERM") return EPERM;
  if (*name == "ENOSYS") return ENOSYS;
  refuse(where + ".errno", "must be EPERM or ENOSYS.");
}

SystemCallRule parse_rule(const json& text, const std::string& where) {
  refuse_unknown_members(text, {"calls", "when", "reason", "errno"}, where);
  SystemCallRule rule;
  const auto calls = text.find("calls");
  if (calls == text.end() || !calls->is_array() || calls->empty()) {
    refuse(where, "denies nothing: 'calls' must be a list of system calls' names.");
  }
  for (const auto& call : *calls) {
    if (!call.is_string()) refuse(where + ".calls", "must hold names of system calls only.");
    rule.calls.push_back(call.get<std::string>());
  }
  const auto reason = text.find("reason");
  if (reason == text.end() || !reason->is_string() || reason->get_ref<const std::string&>().empty())
    refuse(where, "has no reason: say in 'reason' why functions must not do this.");
  rule.reason = reason->get<std::string>();
  rule.error_number = parse_error_number(text, where);
  if (const auto when = text.find("when"); when != text.end()) {
    rule.condition = parse_condition(*when, where + ".when");
  }
  return rule;
}

SeccompPolicy parse_rules(const json& text) {
  refuse_unknown_members(text, {"rules"}, "the policy");
  const auto rules = text.find("rules");
  if (rules == text.end() || !rules->is_array())
    refuse("the policy", "needs a list named 'rules'.");
  SeccompPolicy policy;
  std::set<std::string> named;
  for (const auto& rule : *rules) {
    const auto where = "rules[" + std::to_string(policy.rules.size()) + "]";
    policy.rules.push_back(parse_rule(rule, where));
    for (const auto& call : policy.rules.back().calls) {
      if (!named.insert(call).second) {
        refuse(where, "names " + call + ", which is denied already; one rule must say it all.");
      }
    }
  }
  return policy;
}

// libseccomp compares an argument once in a rule, as (argument & mask) == value; whatever else is
// to be said is a number of such rules, of which one suffices.
struct MaskedValue {
  std::uint32_t mask = 0;
  std::uint32_t value = 0;
};

// What `values` leave free, given that the bits above `bit` are those of `so_far`: descends into
// both halves, and takes as a whole each half in which none of them lies.
void append_gaps(const std::vector<std::uint32_t>& values,
                 const MaskedValue& so_far,
                 int bit,
                 std::vector<MaskedValue>& gaps) {
  if (values.empty()) {
    gaps.push_back(so_far);
    return;
  }
  if (bit < 0) return;
  const auto flag = std::uint32_t{1} << bit;
  for (const std::uint32_t half : {std::uint32_t{0}, flag}) {
    std::vector<std::uint32_t> inside;
    std::copy_if(values.begin(), values.end(), std::back_inserter(inside), [&](auto value) {
      return (value & flag) == half;
    });
    append_gaps(inside, {so_far.mask | flag, so_far.value | half}, bit - 1, gaps);
  }
}

std::vector<MaskedValue> denied_values(const Condition& condition) {
  std::vector<MaskedValue> denied;
  switch (condition.test) {
    case Condition::Test::one_of:
      for (const auto value : condition.values) denied.push_back({~std::uint32_t{0}, value});
      break;
    case Condition::Test::any_bit_of:
      for (int bit = 0; bit <= kHighestBit; ++bit) {
        const auto flag = std::uint32_t{1} << bit;
        const bool named = std::any_of(condition.values.begin(),
                                       condition.values.end(),
                                       [flag](auto value) { return (value & flag) != 0; });
        if (named) denied.push_back({flag, flag});
      }
      break;
    case Condition::Test::none_of:
      append_gaps(condition.values, {}, kHighestBit, denied);
      break;
  }
  return denied;
}

using Filter = std::unique_ptr<void, decltype(&seccomp_release)>;

SeccompError libseccomp_error(const std::string& doing, int negative_errno) {
  return {"libseccomp failed to " + doing + ": " +
          std::generic_category().message(-negative_errno) + "."};
}

// Zero, or libseccomp's negative error number.
int deny(scmp_filter_ctx filter, int number, const SystemCallRule& rule) {
  const auto action = SCMP_ACT_ERRNO(static_cast<unsigned>(rule.error_number));
  if (!rule.condition) return seccomp_rule_add(filter, action, number, 0);
  for (const auto& denied : denied_values(*rule.condition)) {
    const scmp_arg_cmp compare{.arg = rule.condition->argument,
                               .op = SCMP_CMP_MASKED_EQ,
                               .datum_a = denied.mask,
                               .datum_b = denied.value};
    if (const int error = seccomp_rule_add_array(filter, action, number, 1, &compare)) return error;
  }
  return 0;
}

tl::expected<void, SeccompError> add_rules(scmp_filter_ctx filter, const SeccompPolicy& policy) {
  for (const auto& rule : policy.rules) {
    for (const auto& call : rule.calls) {
      const int number = seccomp_syscall_resolve_name(call.c_str());
      if (number == __NR_SCMP_ERROR) {
        return tl::unexpected(SeccompError{"The system call policy denies '" + call +
                                           "', a call that libseccomp does not know; mend its "
                                           "name, or use a newer libseccomp."});
      }
      if (number < 0) continue;  // of other machines
      if (const int error = deny(filter, number, rule)) {
        return tl::unexpected(libseccomp_error("deny " + call, error));
      }
    }
  }
  return {};
}

// libseccomp hands a filter out through a descriptor only.
tl::expected<std::vector<sock_filter>, SeccompError> instructions(scmp_filter_ctx filter) {
  const UniqueFd file(::memfd_create("seccomp-filter", MFD_CLOEXEC));
  if (!file.valid()) return tl::unexpected(libseccomp_error("get memory for the filter", -errno));
  if (const int error = seccomp_export_bpf(filter, file.get())) {
    return tl::unexpected(libseccomp_error("write the filter", error));
  }
  const auto bytes = ::lseek(file.get(), 0, SEEK_END);
  std::vector<sock_filter> program(static_cast<std::size_t>(bytes) / sizeof(sock_filter));
  if (bytes <= 0 ||
      ::pread(file.get(), program.data(), static_cast<std::size_t>(bytes), 0) != bytes)
    return tl::unexpected(libseccomp_error("give the filter back", -EIO));
  if (program.size() > BPF_MAXINSNS) {
    return tl::unexpected(SeccompError{
        "The system call policy makes a filter of " + std::to_string(program.size()) +
        " instructions, and the kernel takes " + std::to_string(BPF_MAXINSNS) + "; shorten it."});
  }
  return program;
}

}  // namespace

tl::expected<SeccompPolicy, SeccompError> parse_policy(std::string_view text) {
  try {
    return parse_rules(json::parse(text));
  } catch (const Refused& refused) {
    return tl::unexpected(SeccompError{"In the system call policy, " + refused.message});
  } catch (const json::exception& error) {
    return tl::unexpected(
        SeccompError{"The system call policy is not JSON: " + std::string(error.what())});
  }
}

const SeccompPolicy& default_policy() {
  static const SeccompPolicy kPolicy = parse_policy(embedded_files()[0].bytes).value();
  return kPolicy;
}

tl::expected<std::vector<sock_filter>, SeccompError> compile(const SeccompPolicy& policy) {
  const Filter filter(seccomp_init(SCMP_ACT_ALLOW), &seccomp_release);
  if (!filter) return tl::unexpected(libseccomp_error("begin a filter", -ENOMEM));
  const std::pair<scmp_filter_attr, std::uint32_t> attributes[] = {
      {SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS)},
      {SCMP_FLTATR_CTL_OPTIMIZE, 2},  // a search tree instead of one comparison after the other
  };
  for (const auto& [attribute, value] : attributes) {
    if (const int error = seccomp_attr_set(filter.get(), attribute, value)) {
      return tl::unexpected(libseccomp_error("set up a filter", error));
    }
  }
  if (auto added = add_rules(filter.get(), policy); !added) return tl::unexpected(added.error());
  return instructions(filter.get());
}

}  // namespace emulator::sandbox
