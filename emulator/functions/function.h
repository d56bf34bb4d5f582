// What a function is before anything runs: its names, its configuration and the quotas on it.
//
// Values only; any thread.
#pragma once

#include <tl/expected.hpp>

#include <chrono>
#include <compare>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::functions {

// A number of mebibytes, which is what AWS calls MB in memory and ephemeral storage settings.
struct MemorySize {
  std::int64_t mebibytes = 0;
  constexpr std::int64_t bytes() const { return mebibytes * 1024 * 1024; }
  auto operator<=>(const MemorySize&) const = default;
};

// Quotas. Source: AWS Lambda quotas page and the public service model.
inline constexpr MemorySize kMinMemory{128};
inline constexpr MemorySize kMaxMemory{10'240};
// Of functions on Managed Instances. Source: developer guide, "Scaling Lambda Managed Instances",
// and the service model.
inline constexpr MemorySize kMinManagedMemory{2'048};
inline constexpr MemorySize kMaxManagedMemory{32'768};
inline constexpr MemorySize kMinEphemeralStorage{512};
inline constexpr MemorySize kMaxEphemeralStorage{10'240};
inline constexpr std::chrono::seconds kMinTimeout{1};
inline constexpr std::chrono::seconds kMaxTimeout{900};
inline constexpr std::size_t kMaxHandlerLength = 128;
inline constexpr std::size_t kMaxEnvironmentBytes = 4096;
inline constexpr std::size_t kMaxLayers = 5;
inline constexpr std::size_t kMaxFunctionNameLength = 64;

// Hearth's own account and region, where the user names no other. Every generated ARN uses them.
inline constexpr std::string_view kDefaultAccount = "123456789012";
inline constexpr std::string_view kDefaultRegion = "us-east-1";
inline constexpr std::string_view kLatestVersion = "$LATEST";
// What functions on Managed Instances are invoked by where no version is named. Source: developer
// guide, "$LATEST.PUBLISHED version in Lambda Managed Instances".
inline constexpr std::string_view kLatestPublished = "$LATEST.PUBLISHED";

enum class Tracing { pass_through, active };

// Whether an environment serves invocations of one tenant only. Source: service model,
// TenantIsolationMode.
enum class TenantIsolation { none, per_tenant };
// Whether published versions are run from a snapshot. Source: service model, SnapStartApplyOn.
enum class SnapStart { none, published_versions };
// How a function's log is written. Source: the public service model, LoggingConfig; its words are
// kept as they are, for they are given to the function as well.
enum class LogFormat { text, json };
struct Logging {
  LogFormat format = LogFormat::text;
  // With JSON only; with text they say nothing.
  std::string application_level = "INFO";  // TRACE, DEBUG, INFO, WARN, ERROR or FATAL
  std::string system_level = "INFO";       // DEBUG, INFO or WARN
  bool operator==(const Logging&) const = default;
};

// Source: a published emulator that is compared with the service; the least of the three ratios
// that the developer guide names.
inline constexpr double kUsualMemoryPerCpu = 2.0;
inline constexpr double kMinMemoryPerCpu = 2.0;
inline constexpr double kMaxMemoryPerCpu = 8.0;

// Of a function whose environments on Managed Instances serve several invocations at a time.
struct ManagedInstances {
  // Invocations at a time in one environment, from 1 to 1,600; absent: as many as is usual for the
  // runtime. Source: service model, PerExecutionEnvironmentMaxConcurrency.
  std::optional<int> max_concurrency;
  // GiB of memory for each vCPU, from 2 to 8. Source: service model,
  // ExecutionEnvironmentMemoryGiBPerVCpu.
  double memory_per_cpu = kUsualMemoryPerCpu;
  std::string provider{};  // the ARN of its capacity provider; empty: Hearth's own
  // How many environments each of its versions has, as far as it says. Source: SAM developer guide,
  // FunctionScalingConfig.
  std::optional<int> min_environments{};
  std::optional<int> max_environments{};
  bool operator==(const ManagedInstances&) const = default;
};
inline constexpr int kMaxManagedConcurrency = 1'600;

// vCPUs of an environment, whole ones.
int managed_cpus(MemorySize memory, double memory_per_cpu);

// What a runtime serves at a time where the function does not say: so many for each vCPU. Source:
// developer guide, the pages on the runtimes of Managed Instances: 64 for Node.js, 32 for Java and
// .NET, 16 for Python, 8 for Rust, which is provided.al2023.
int usual_managed_concurrency(std::string_view runtime, MemorySize memory, double memory_per_cpu);

// Whether AWS runs it on Managed Instances: java21, python3.13, nodejs22.x, dotnet8,
// provided.al2023 and later ones. Source: the same.
bool supports_managed_instances(std::string_view runtime);

struct FunctionConfiguration {
  std::string name;
  std::string runtime = "provided.al2023";
  std::string handler;
  MemorySize memory = kMinMemory;
  std::chrono::seconds timeout{3};
  MemorySize ephemeral_storage = kMinEphemeralStorage;
  Tracing tracing = Tracing::pass_through;
  TenantIsolation tenant_isolation = TenantIsolation::none;
  SnapStart snap_start = SnapStart::none;
  std::optional<ManagedInstances> managed;  // absent: on demand
  Logging logging;
  std::map<std::string, std::string> variables;  // the customer's environment variables
  std::filesystem::path code;                    // folder or .zip; empty only with `command`
  std::vector<std::filesystem::path> layers;     // folders or .zip files, in merge order
  std::vector<std::string> command;              // started in place of a bootstrap when not empty

  bool operator==(const FunctionConfiguration&) const = default;
};

// Invocations at a time in an environment of a function on Managed Instances: as it says, or as is
// usual.
int managed_concurrency(const FunctionConfiguration& configuration);

// A configuration that AWS would refuse, with a sentence that says what to change.
struct ConfigurationError {
  std::string message;
};

// Checks every quota above, the name's characters, reserved variable names, the key pattern
// [a-zA-Z][a-zA-Z0-9_]+, the 4 KB rule, and what goes with SnapStart and with Managed Instances; a
// command that is started in place of a bootstrap may do with that whatever it likes. Does not
// touch the file system.
tl::expected<void, ConfigurationError> validate(const FunctionConfiguration& configuration);

// Whether AWS's runtime of that name can be run from a snapshot: java11, python3.12, dotnet8 and
// later ones. Source: developer guide, "Improving startup performance with Lambda SnapStart".
bool supports_snap_start(std::string_view runtime);

// Whether AWS reserves this environment variable name for itself.
// Source: developer guide, "Defined runtime environment variables".
bool is_reserved_variable(std::string_view name);

// A parsed FunctionName of the Invoke API: a name, a partial or a full ARN, each with an optional
// qualifier. Source: the public service model (pattern of FunctionName).
struct FunctionReference {
  std::string name;
  std::optional<std::string> qualifier;
  std::optional<std::string> account;
  std::optional<std::string> region;
  bool operator==(const FunctionReference&) const = default;
};

// nullopt when the text matches none of the three forms.
std::optional<FunctionReference> parse_function_reference(std::string_view text);

// $LATEST, a version number or an alias name.
bool is_valid_qualifier(std::string_view qualifier);

// arn:<partition>:lambda:<region>:<account>:function:<name>[:<qualifier>]
std::string function_arn(std::string_view region,
                         std::string_view account,
                         std::string_view name,
                         std::optional<std::string_view> qualifier = std::nullopt);

}  // namespace emulator::functions
