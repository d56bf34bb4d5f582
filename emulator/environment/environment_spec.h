// All that an environment must know of the function version it serves. Whoever builds it has
// resolved code, runtime and variables already.
//
// Values only; any thread.
#pragma once

#include "emulator/environment/invocation_report.h"
#include "emulator/environment/log_format.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/time/clock.h"
#include "runtime_api/restore_routes.h"

#include <tl/expected.hpp>

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::environment {

// Source: developer guide, "Init phase". On-demand functions only.
inline constexpr std::chrono::milliseconds kInitLimit{10'000};

// Of environments that are initialised ahead: as long as the function may run, but no less and no
// more than these. Source: developer guide, "Init phase".
inline constexpr std::chrono::milliseconds kShortestProvisionedInitLimit{130'000};
inline constexpr std::chrono::milliseconds kLongestProvisionedInitLimit{900'000};

// What a runtime on Managed Instances is told of how many calls it may keep parked.
inline constexpr std::string_view kMaxConcurrency = "AWS_LAMBDA_MAX_CONCURRENCY";

// Whether an environment is initialised for an invocation that waits, or ahead of any; with
// SnapStart ahead of any too, and restored for the first one.
enum class Initialization : std::uint8_t {
  on_demand,
  provisioned_concurrency,
  snap_start,
  managed_instances
};

// As AWS_LAMBDA_INITIALIZATION_TYPE spells it.
std::string_view name_of(Initialization initialization);

// How long the Restore phase may take, the runtime's hooks included. Source: developer guide,
// "Restore phase".
inline constexpr std::chrono::milliseconds kRestoreLimit{10'000};

// How long credentials that were fetched are said to hold. They hold as long as Hearth runs; our
// choice: long enough that no SDK fetches them again for every call, short enough that one that
// never does is noticed.
inline constexpr std::chrono::hours kCredentialsLife{1};

// Whether the processes stand still between invocations. Source: developer guide, "Lambda execution
// environment lifecycle".
enum class Freezing : std::uint8_t { off, on };

// An environment that gets its next invocation at once is not frozen in between. Our choice: the
// cost of a thaw is kept from those who invoke one after the other.
inline constexpr std::chrono::microseconds kFreezeDelay{1'000};

// Whether an environment serves one tenant only, from its first invocation until it is gone.
// Source: developer guide, "Tenant isolation".
enum class TenantIsolation : std::uint8_t { none, per_tenant };

// What is told of invocations whose caller has not decided it. Source: service model, TracingMode.
enum class Tracing : std::uint8_t { pass_through, active };

// Of a function on Managed Instances.
// The service keeps three, one in each availability zone; a host has none of these. Our choice.
inline constexpr std::size_t kDefaultManagedEnvironments = 1;
// Where nobody says how many there may be. Our choice: the service has no such limit, and a host
// has less room.
inline constexpr std::size_t kMostManagedEnvironments = 3;

// Source: CloudFormation reference, FunctionScalingConfig.
inline constexpr int kMaxManagedEnvironments = 15'000;

// How many environments a version has; both 0: it is deactivated.
struct ManagedScale {
  std::size_t min_environments = kDefaultManagedEnvironments;
  std::size_t max_environments = kDefaultManagedEnvironments;
};

// The same, where one is left out as is usual; the most is never less than the least. An error is a
// sentence: the least is more than the most, or is 0 alone, or there are too many. Source of the
// rules: developer guide, "Scaling Lambda Managed Instances"; the sentences are ours.
tl::expected<ManagedScale, std::string> managed_scale(std::optional<int> least,
                                                      std::optional<int> most);

struct ManagedInstances {
  std::size_t max_concurrency = 1;  // invocations at a time in one environment
  std::string told;                 // AWS_LAMBDA_MAX_CONCURRENCY as the runtime is given it
  ManagedScale scale{};             // unless the pool is told another one
};

struct EnvironmentSpec {
  std::string function_name;
  std::string version = "$LATEST";
  std::int64_t memory_size_mb = 128;
  std::chrono::milliseconds timeout{3'000};
  std::chrono::milliseconds init_limit = kInitLimit;
  std::chrono::milliseconds restore_limit = kRestoreLimit;
  Initialization initialization = Initialization::on_demand;

  std::vector<std::string> argv;
  std::string working_folder;
  // Everything but AWS_LAMBDA_RUNTIME_API and AWS_LAMBDA_LOG_STREAM_NAME, which are the
  // environment's own.
  std::map<std::string, std::string> variables;
  std::optional<std::string> log_stream_name;  // absent: made anew for each environment

  // Where the Runtime API listens. The first environment gets the port; while it is taken, others
  // use a free one. 0: always a free one.
  std::string api_address = "127.0.0.1";
  std::uint16_t api_port = 0;

  // The folder that stands for /opt, whose subfolder `extensions` holds the external ones. Empty:
  // there is none.
  struct LayersFolder {
    std::string host;
    std::string seen;  // by the processes
  };
  LayersFolder layers;
  std::optional<std::string> account_id;  // for extensions that ask for it

  sandbox::ProcessLimits limits;
  // What the processes see, and how much of the machine they get.
  sandbox::SandboxRequest machine;
  // In place of machine.cpu.quota while the environment initialises; nothing: the same.
  std::optional<std::chrono::microseconds> init_cpu_quota;
  Freezing freezing = Freezing::off;
  Profile profile = Profile::aws;
  TenantIsolation tenant_isolation = TenantIsolation::none;
  Tracing tracing = Tracing::pass_through;
  LogFormatting logging;

  // Of the runtime that AWS manages, as RESTORE_START names them; empty: it is the function's own.
  std::string runtime_version{};
  std::string runtime_version_arn{};
  // With SnapStart only: in place of the variables that have them elsewhere.
  runtime_api::ContainerCredentials credentials{};
  std::optional<ManagedInstances> managed;  // absent: one invocation at a time
};

// What the spec says, else 2026/01/13/[$LATEST]0123456789abcdef0123456789abcdef; `new_id` makes the
// digits. Source: recorded from the service.
std::string log_stream_name(const EnvironmentSpec& spec,
                            const time::Clock& clock,
                            const std::function<std::string()>& new_id);

// The same version as provisioned environments serve it: its limit for Init, and what its processes
// are told of how they were initialised.
EnvironmentSpec provisioned_variant(EnvironmentSpec on_demand);

// The same version as it runs with SnapStart: initialised ahead within the same limit, and without
// the variables that would be wrong in a copy: credentials, log group and log stream. Source:
// developer guide, "Monitoring for Lambda SnapStart" for the log's; "Defined runtime environment
// variables" for the credentials'. Published emulators leave variables as they are, and
// whoever builds the spec says which credentials there are.
EnvironmentSpec snap_start_variant(EnvironmentSpec on_demand);

// The same version on Managed Instances: never frozen, initialised ahead, told so.
EnvironmentSpec managed_variant(EnvironmentSpec on_demand, ManagedInstances managed);

// The variables that AWS gives a function, in the values of a host without its folders; `task_root`
// and `layers_root` stand for /var/task and /opt. Customer variables win over the defaults that
// AWS leaves open (LANG, PATH, LD_LIBRARY_PATH, TZ …) and never over reserved ones.
// Source: recorded from provided.al2023, 2026-01; developer guide for the reserved ones.
struct VariableSources {
  std::string function_name;
  std::string version = "$LATEST";
  std::string handler;
  std::string region;
  std::int64_t memory_size_mb = 128;
  std::string task_root = "/var/task";
  std::string layers_root = "/opt";
  std::string runtime_root = "/var/runtime";
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  // Given only where the log is JSON. Source: recorded, where neither is there with the text
  // format.
  std::optional<std::string> log_level;
  std::map<std::string, std::string> runtime;   // added by the managed runtime
  std::map<std::string, std::string> customer;  // validated before
};

std::map<std::string, std::string> function_variables(const VariableSources& sources);

}  // namespace emulator::environment
