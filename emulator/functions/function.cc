#include "emulator/functions/function.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace emulator::functions {
namespace {

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

bool all_of(std::string_view text, auto&& predicate) {
  return !text.empty() && std::all_of(text.begin(), text.end(), predicate);
}

bool is_function_name(std::string_view name) {
  return name.size() <= kMaxFunctionNameLength &&
         all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_'; });
}

// What a caller may write for a name, which is wider than what a function may be called.
// Source: the public service model, pattern of FunctionName: [a-zA-Z0-9-_\.]+.
bool is_referenced_name(std::string_view name) {
  return all_of(
      name, [](char c) { return is_letter(c) || is_digit(c) || c == '-' || c == '_' || c == '.'; });
}

// Runtimes of a language from one version on.
struct Family {
  std::string_view prefix;
  std::string_view suffix;
  int first;
};

// java8.al2 and dotnetcore3.1 are of none.
bool is_of(const auto& families, std::string_view runtime) {
  return std::any_of(families.begin(), families.end(), [&](const Family& family) {
    if (!runtime.starts_with(family.prefix) || !runtime.ends_with(family.suffix)) return false;
    const auto* begin = runtime.data() + family.prefix.size();
    const auto* end = runtime.data() + runtime.size() - family.suffix.size();
    int version = 0;
    const auto read = begin < end ? std::from_chars(begin, end, version)
                                  : std::from_chars_result{end, std::errc::invalid_argument};
    return read.ec == std::errc{} && read.ptr == end && version >= family.first;
  });
}

bool is_account(std::string_view text) { return text.size() == 12 && all_of(text, is_digit); }

bool is_region(std::string_view text) {
  return all_of(text, [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; });
}

// [a-zA-Z]([a-zA-Z0-9_])+
bool is_variable_name(std::string_view name) {
  return name.size() >= 2 && is_letter(name.front()) &&
         all_of(name, [](char c) { return is_letter(c) || is_digit(c) || c == '_'; });
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == std::string_view::npos) return parts;
    text.remove_prefix(at + 1);
  }
}

tl::unexpected<ConfigurationError> refuse(std::string message) {
  return tl::unexpected(ConfigurationError{std::move(message)});
}

std::string between(auto low, auto high) {
  return "between " + std::to_string(low) + " and " + std::to_string(high);
}

tl::expected<void, ConfigurationError> validate_variables(const FunctionConfiguration& c) {
  std::size_t total = 0;
  for (const auto& [key, value] : c.variables) {
    if (is_reserved_variable(key)) {
      return refuse("environment variable " + key +
                    " is reserved by Lambda and cannot be set; remove it from the function's "
                    "variables");
    }
    if (!is_variable_name(key)) {
      return refuse("environment variable name '" + key +
                    "' is not allowed; use a letter followed by letters, digits or underscores");
    }
    if (value.find('\0') != std::string::npos) {
      return refuse("environment variable " + key + " holds a NUL byte; remove it");
    }
    total += key.size() + value.size();
  }
  if (total > kMaxEnvironmentBytes) {
    return refuse("the environment variables take " + std::to_string(total) +
                  " bytes; Lambda allows 4 KB in total, so move large values to a file or layer");
  }
  return {};
}

tl::expected<void, ConfigurationError> validate_managed(const FunctionConfiguration& c) {
  if (!c.managed) return {};
  const auto told = c.managed->max_concurrency.value_or(1);
  if (told < 1 || told > kMaxManagedConcurrency) {
    return refuse(std::to_string(told) +
                  " invocations at a time in an environment are not allowed; choose " +
                  between(1, kMaxManagedConcurrency));
  }
  if (c.snap_start != SnapStart::none) {
    return refuse("SnapStart and Managed Instances do not go together; leave one of them out");
  }
  if (c.tenant_isolation == TenantIsolation::per_tenant) {
    return refuse(
        "tenant isolation and Managed Instances do not go together; leave one of them out");
  }
  const auto ratio = c.managed->memory_per_cpu;
  if (!(ratio >= kMinMemoryPerCpu && ratio <= kMaxMemoryPerCpu)) {
    return refuse("ExecutionEnvironmentMemoryGiBPerVCpu is from 2 to 8; choose 2, 4 or 8");
  }
  if (managed_cpus(c.memory, ratio) < 1) {
    return refuse(std::to_string(c.memory.mebibytes) +
                  " MB are no whole vCPU on Managed Instances; raise the memory, or lower "
                  "ExecutionEnvironmentMemoryGiBPerVCpu");
  }
  return {};
}

tl::expected<void, ConfigurationError> validate_snap_start(const FunctionConfiguration& c) {
  if (c.snap_start == SnapStart::none) return {};
  if (c.ephemeral_storage > kMinEphemeralStorage) {
    return refuse("SnapStart allows no more than " +
                  std::to_string(kMinEphemeralStorage.mebibytes) +
                  " MB of ephemeral storage; lower it, or leave SnapStart out");
  }
  if (c.tenant_isolation == TenantIsolation::per_tenant) {
    return refuse("SnapStart and tenant isolation do not go together; leave one of them out");
  }
  if (c.command.empty() && !supports_snap_start(c.runtime)) {
    return refuse("runtime " + c.runtime +
                  " has no SnapStart; choose java11, python3.12, dotnet8 or a later one");
  }
  return {};
}

}  // namespace

int managed_cpus(MemorySize memory, double memory_per_cpu) {
  return static_cast<int>(static_cast<double>(memory.mebibytes) / (1024 * memory_per_cpu));
}

int usual_managed_concurrency(std::string_view runtime, MemorySize memory, double memory_per_cpu) {
  int each = 8;
  if (runtime.starts_with("nodejs")) each = 64;
  if (runtime.starts_with("java") || runtime.starts_with("dotnet")) each = 32;
  if (runtime.starts_with("python")) each = 16;
  const auto cpus = std::max(managed_cpus(memory, memory_per_cpu), 1);
  return std::min(each * cpus, kMaxManagedConcurrency);
}

int managed_concurrency(const FunctionConfiguration& configuration) {
  const auto& managed = *configuration.managed;
  return managed.max_concurrency.value_or(usual_managed_concurrency(
      configuration.runtime, configuration.memory, managed.memory_per_cpu));
}

bool supports_managed_instances(std::string_view runtime) {
  static constexpr std::array kFamilies = {Family{"java", "", 21},
                                           Family{"python3.", "", 13},
                                           Family{"nodejs", ".x", 22},
                                           Family{"dotnet", "", 8},
                                           Family{"provided.al", "", 2023}};
  return is_of(kFamilies, runtime);
}

bool supports_snap_start(std::string_view runtime) {
  static constexpr std::array kFamilies = {
      Family{"java", "", 11}, Family{"python3.", "", 12}, Family{"dotnet", "", 8}};
  return is_of(kFamilies, runtime);
}

bool is_reserved_variable(std::string_view name) {
  static constexpr std::array kReserved = {
      std::string_view{"_HANDLER"},
      std::string_view{"_X_AMZN_TRACE_ID"},
      std::string_view{"AWS_DEFAULT_REGION"},
      std::string_view{"AWS_REGION"},
      std::string_view{"AWS_EXECUTION_ENV"},
      std::string_view{"AWS_LAMBDA_FUNCTION_NAME"},
      std::string_view{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE"},
      std::string_view{"AWS_LAMBDA_FUNCTION_VERSION"},
      std::string_view{"AWS_LAMBDA_INITIALIZATION_TYPE"},
      std::string_view{"AWS_LAMBDA_LOG_GROUP_NAME"},
      std::string_view{"AWS_LAMBDA_LOG_STREAM_NAME"},
      std::string_view{"AWS_ACCESS_KEY"},
      std::string_view{"AWS_ACCESS_KEY_ID"},
      std::string_view{"AWS_SECRET_ACCESS_KEY"},
      std::string_view{"AWS_SESSION_TOKEN"},
      std::string_view{"AWS_LAMBDA_RUNTIME_API"},
      std::string_view{"LAMBDA_TASK_ROOT"},
      std::string_view{"LAMBDA_RUNTIME_DIR"},
  };
  return std::find(kReserved.begin(), kReserved.end(), name) != kReserved.end();
}

tl::expected<void, ConfigurationError> validate(const FunctionConfiguration& c) {
  if (!is_function_name(c.name)) {
    return refuse("function name '" + c.name +
                  "' is not allowed; use 1 to 64 letters, digits, '-' or '_'");
  }
  const auto least = c.managed ? kMinManagedMemory : kMinMemory;
  const auto most = c.managed ? kMaxManagedMemory : kMaxMemory;
  if (c.memory < least || c.memory > most) {
    return refuse("memory of " + std::to_string(c.memory.mebibytes) +
                  " MB is not allowed; choose " + between(least.mebibytes, most.mebibytes) + " MB");
  }
  if (c.timeout < kMinTimeout || c.timeout > kMaxTimeout) {
    return refuse("a timeout of " + std::to_string(c.timeout.count()) +
                  " seconds is not allowed; choose " +
                  between(kMinTimeout.count(), kMaxTimeout.count()) + " seconds");
  }
  if (c.ephemeral_storage < kMinEphemeralStorage || c.ephemeral_storage > kMaxEphemeralStorage) {
    return refuse("ephemeral storage of " + std::to_string(c.ephemeral_storage.mebibytes) +
                  " MB is not allowed; choose " +
                  between(kMinEphemeralStorage.mebibytes, kMaxEphemeralStorage.mebibytes) + " MB");
  }
  if (c.handler.size() > kMaxHandlerLength ||
      c.handler.find_first_of(" \t\r\n") != std::string::npos) {
    return refuse("handler '" + c.handler +
                  "' is not allowed; use at most 128 characters without blanks");
  }
  if (c.layers.size() > kMaxLayers) {
    return refuse(std::to_string(c.layers.size()) +
                  " layers are too many; a function has at most 5");
  }
  if (auto valid = validate_snap_start(c); !valid) return valid;
  if (auto valid = validate_managed(c); !valid) return valid;
  return validate_variables(c);
}

bool is_valid_qualifier(std::string_view qualifier) {
  return qualifier == kLatestVersion || qualifier == kLatestPublished ||
         (qualifier.size() <= 128 && all_of(qualifier, [](char c) {
            return is_letter(c) || is_digit(c) || c == '-' || c == '_';
          }));
}

std::optional<FunctionReference> parse_function_reference(std::string_view text) {
  FunctionReference reference;
  auto parts = split(text, ':');
  if (parts.size() >= 7 && parts[0] == "arn") {
    if (!parts[1].starts_with("aws") || parts[2] != "lambda" || !is_region(parts[3]) ||
        !is_account(parts[4])) {
      return std::nullopt;
    }
    reference.region = parts[3];
    reference.account = parts[4];
    parts.erase(parts.begin(), parts.begin() + 5);
  } else if (parts.size() >= 3 && is_account(parts[0])) {
    reference.account = parts[0];
    parts.erase(parts.begin());
  }
  if (reference.account || parts.front() == "function") {
    if (parts.size() < 2 || parts.front() != "function") return std::nullopt;
    parts.erase(parts.begin());
  }
  if (parts.size() > 2 || !is_referenced_name(parts[0])) return std::nullopt;
  reference.name = parts[0];
  if (parts.size() == 2) {
    if (!is_valid_qualifier(parts[1])) return std::nullopt;
    reference.qualifier = parts[1];
  }
  return reference;
}

std::string function_arn(std::string_view region,
                         std::string_view account,
                         std::string_view name,
                         std::optional<std::string_view> qualifier) {
  std::string partition = "aws";
  if (region.starts_with("cn-")) partition = "aws-cn";
  if (region.starts_with("us-gov-")) partition = "aws-us-gov";
  std::string arn = "arn:" + partition + ":lambda:";
  arn.append(region).append(":").append(account).append(":function:").append(name);
  if (qualifier) arn.append(":").append(*qualifier);
  return arn;
}

}  // namespace emulator::functions
