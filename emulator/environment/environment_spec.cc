#include "emulator/environment/environment_spec.h"

#include <algorithm>
#include <ctime>
#include <utility>

namespace emulator::environment {
namespace {

constexpr const char* kInitializationType = "AWS_LAMBDA_INITIALIZATION_TYPE";

constexpr const char* kLogGroup = "AWS_LAMBDA_LOG_GROUP_NAME";

EnvironmentSpec initialised_ahead(EnvironmentSpec spec, Initialization initialization) {
  spec.initialization = initialization;
  spec.init_limit =
      std::clamp(spec.timeout, kShortestProvisionedInitLimit, kLongestProvisionedInitLimit);
  spec.variables[kInitializationType] = name_of(initialization);
  return spec;
}

std::string taken_out(std::map<std::string, std::string>& variables, const std::string& name) {
  auto found = variables.extract(name);
  return found.empty() ? std::string() : std::move(found.mapped());
}

}  // namespace

std::string_view name_of(Initialization initialization) {
  switch (initialization) {
    case Initialization::on_demand:
      return "on-demand";
    case Initialization::provisioned_concurrency:
      return "provisioned-concurrency";
    case Initialization::snap_start:
      return "snap-start";
    case Initialization::managed_instances:
      return "lambda-managed-instances";
  }
  return "";
}

std::string log_stream_name(const EnvironmentSpec& spec,
                            const time::Clock& clock,
                            const std::function<std::string()>& new_id) {
  if (spec.log_stream_name) return *spec.log_stream_name;
  const auto now = std::chrono::system_clock::to_time_t(clock.wall_now());
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char date[16];
  std::strftime(date, sizeof(date), "%Y/%m/%d", &parts);
  return std::string(date) + "/[" + spec.version + "]" + new_id();
}

EnvironmentSpec provisioned_variant(EnvironmentSpec on_demand) {
  return initialised_ahead(std::move(on_demand), Initialization::provisioned_concurrency);
}

EnvironmentSpec snap_start_variant(EnvironmentSpec on_demand) {
  auto spec = initialised_ahead(std::move(on_demand), Initialization::snap_start);
  if (spec.profile == Profile::rie) return spec;
  spec.credentials = {.access_key_id = taken_out(spec.variables, "AWS_ACCESS_KEY_ID"),
                      .secret_access_key = taken_out(spec.variables, "AWS_SECRET_ACCESS_KEY"),
                      .session_token = taken_out(spec.variables, "AWS_SESSION_TOKEN")};
  spec.variables.erase(kLogGroup);
  return spec;
}

EnvironmentSpec managed_variant(EnvironmentSpec on_demand, ManagedInstances managed) {
  auto spec = provisioned_variant(std::move(on_demand));
  spec.initialization = Initialization::managed_instances;
  spec.freezing = Freezing::off;
  spec.variables[kInitializationType] = name_of(spec.initialization);
  // The runtime's alone, and added where it is started.
  spec.variables.erase(std::string(kMaxConcurrency));
  spec.managed = std::move(managed);
  return spec;
}

std::map<std::string, std::string> function_variables(const VariableSources& s) {
  std::map<std::string, std::string> variables = {
      {"LANG", "en_US.UTF-8"},
      {"TZ", ":UTC"},
      {"PATH", "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:" + s.layers_root + "/bin"},
      {"LD_LIBRARY_PATH",
       "/var/lang/lib:/lib64:/usr/lib64:" + s.runtime_root + ":" + s.runtime_root +
           "/lib:" + s.task_root + ":" + s.task_root + "/lib:" + s.layers_root + "/lib"},
      {"AWS_XRAY_CONTEXT_MISSING", "LOG_ERROR"},
      {"AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1:2000"},
      {"_AWS_XRAY_DAEMON_ADDRESS", "169.254.100.1"},
      {"_AWS_XRAY_DAEMON_PORT", "2000"},
  };
  for (const auto& [key, value] : s.runtime) variables[key] = value;
  for (const auto& [key, value] : s.customer) variables[key] = value;

  const std::map<std::string, std::string> reserved = {
      {"AWS_ACCESS_KEY_ID", s.access_key_id},
      {"AWS_SECRET_ACCESS_KEY", s.secret_access_key},
      {"AWS_SESSION_TOKEN", s.session_token},
      {"AWS_REGION", s.region},
      {"AWS_DEFAULT_REGION", s.region},
      {"AWS_LAMBDA_FUNCTION_NAME", s.function_name},
      {"AWS_LAMBDA_FUNCTION_VERSION", s.version},
      {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", std::to_string(s.memory_size_mb)},
      {kInitializationType, std::string(name_of(Initialization::on_demand))},
      {kLogGroup, "/aws/lambda/" + s.function_name},
      {"LAMBDA_TASK_ROOT", s.task_root},
      {"LAMBDA_RUNTIME_DIR", s.runtime_root},
      {"_HANDLER", s.handler},
  };
  for (const auto& [key, value] : reserved) variables[key] = value;
  if (s.log_level) {
    variables["AWS_LAMBDA_LOG_FORMAT"] = "JSON";
    variables["AWS_LAMBDA_LOG_LEVEL"] = *s.log_level;
  }
  return variables;
}

tl::expected<ManagedScale, std::string> managed_scale(std::optional<int> least,
                                                      std::optional<int> most) {
  const auto fewest = least.value_or(static_cast<int>(kDefaultManagedEnvironments));
  const auto usual = std::max(static_cast<int>(kMostManagedEnvironments), fewest);
  const auto largest = most.value_or(usual);
  if (fewest < 0 || fewest > largest) {
    return tl::unexpected("MinExecutionEnvironments (" + std::to_string(fewest) +
                          ") is more than MaxExecutionEnvironments (" + std::to_string(largest) +
                          ") or less than 0; name both");
  }
  if (largest > kMaxManagedEnvironments) {
    return tl::unexpected("MaxExecutionEnvironments is at most " +
                          std::to_string(kMaxManagedEnvironments) + "; lower it");
  }
  if (fewest == 0 && largest > 0) {
    return tl::unexpected(
        std::string("MinExecutionEnvironments is 0 only where MaxExecutionEnvironments is too, "
                    "which deactivates the version; raise the one or lower the other"));
  }
  return ManagedScale{static_cast<std::size_t>(fewest), static_cast<std::size_t>(largest)};
}

}  // namespace emulator::environment
