#include "emulator/control_plane/function_configuration.h"

#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/layer_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/snap_start.h"
#include "emulator/control_plane/version_state.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <set>

namespace emulator::control_plane {
namespace {

using Checked = tl::expected<void, ServiceError>;

// Members that are taken over as they are, because the model has said all there is to say of them.
constexpr std::array kPlainMembers = {"Role",
                                      "Handler",
                                      "Description",
                                      "Timeout",
                                      "MemorySize",
                                      "KMSKeyArn",
                                      "TracingConfig",
                                      "EphemeralStorage",
                                      "FileSystemConfigs",
                                      "DurableConfig",
                                      "TenancyConfig"};

ServiceError refused(std::string message) { return invalid_parameter_value(std::move(message)); }

// Source: recorded. The service lists the request's variables after the sentence.
Checked check_variables(const Document& variables) {
  std::string reserved;
  for (const auto& [key, value] : variables.items()) {
    if (functions::is_reserved_variable(key)) {
      reserved.append(reserved.empty() ? "" : ", ").append(key);
    }
  }
  if (!reserved.empty()) {
    return tl::unexpected(
        refused("Lambda was unable to configure your environment variables because the environment "
                "variables you have provided contains reserved keys that are currently not "
                "supported for modification. Reserved keys used in this request: " +
                reserved));
  }
  // The service measures the variables as JSON. Source: recorded.
  const auto measured = variables.dump(-1, ' ', false, Document::error_handler_t::replace);
  if (measured.size() > functions::kMaxEnvironmentBytes) {
    return tl::unexpected(
        refused("Lambda was unable to configure your environment variables because the environment "
                "variables you have provided exceeded the 4KB limit. String measured: " +
                measured));
  }
  return {};
}

Checked apply_environment(const Document& input, Document& configuration) {
  const auto given = input.find("Environment");
  if (given == input.end()) return {};
  const auto variables = given->value("Variables", Document::object());
  if (auto checked = check_variables(variables); !checked) return checked;
  configuration["Environment"] = {{"Variables", variables}};
  return {};
}

void apply_network(const Document& input, Document& configuration) {
  const auto given = input.find("VpcConfig");
  if (given == input.end()) return;
  const auto subnets = given->value("SubnetIds", Document::array());
  const auto groups = given->value("SecurityGroupIds", Document::array());
  // Without subnets and groups the function leaves its network, and the answer still tells of it.
  // Source: recorded. A network that has no identifier here gets one that no network has.
  const bool left = subnets.empty() && groups.empty();
  configuration["VpcConfig"] = {
      {"SubnetIds", subnets},
      {"SecurityGroupIds", groups},
      {"VpcId", left ? "" : "vpc-00000000000000000"},
      {"Ipv6AllowedForDualStack", given->value("Ipv6AllowedForDualStack", false)}};
}

// Source of the rule: developer guide, dead-letter queues: standard queues and topics. The text is
// ours.
Checked apply_dead_letters(const Document& input, Document& configuration) {
  const auto given = input.find("DeadLetterConfig");
  if (given == input.end()) return {};
  const auto target = given->value("TargetArn", "");
  const bool queue_or_topic =
      target.find(":sqs:") != std::string::npos || target.find(":sns:") != std::string::npos;
  if (!target.empty() && (!queue_or_topic || target.ends_with(".fifo"))) {
    return tl::unexpected(refused("The dead-letter target " + target +
                                  " is invalid: it must be a standard queue or a standard topic"));
  }
  if (target.empty()) {
    configuration.erase("DeadLetterConfig");
  } else {
    configuration["DeadLetterConfig"] = {{"TargetArn", target}};
  }
  return {};
}

// The model has room for Managed Instances; functions on demand have their own limits. Source: AWS
// Lambda quotas; texts as the service had them when the model said so too. That of the least memory
// on Managed Instances: what others report of the service.
Checked check_limits(const Document& configuration) {
  const auto too_large = [](std::int64_t value, const char* member, std::int64_t limit) {
    return tl::unexpected(validation_failure(
        std::to_string(value),
        member,
        "Member must have value less than or equal to " + std::to_string(limit)));
  };
  const auto memory = configuration.value("MemorySize", std::int64_t{0});
  if (is_managed(configuration) && memory < functions::kMinManagedMemory.mebibytes) {
    return tl::unexpected(validation_failure(
        std::to_string(memory),
        "memorySize",
        "Lambda Managed Instance functions must have memory size greater than or equal to " +
            std::to_string(functions::kMinManagedMemory.mebibytes)));
  }
  const auto most =
      is_managed(configuration) ? functions::kMaxManagedMemory : functions::kMaxMemory;
  if (memory > most.mebibytes) return too_large(memory, "memorySize", most.mebibytes);
  const auto timeout = configuration.value("Timeout", std::int64_t{0});
  if (timeout > functions::kMaxTimeout.count()) {
    return too_large(timeout, "timeout", functions::kMaxTimeout.count());
  }
  return {};
}

bool has_layer(const Document& configuration, const std::string& arn) {
  const auto layers = configuration.value("Layers", Document::array());
  return std::any_of(layers.begin(), layers.end(), [&](const Document& layer) {
    return layer.value("Arn", "") == arn;
  });
}

Checked apply_layers(const Document& input, const ServiceWorld& world, Document& configuration) {
  const auto given = input.find("Layers");
  if (given == input.end()) return {};
  if (given->empty()) {
    configuration.erase("Layers");
    return {};
  }
  // Source of the four texts: recorded.
  if (given->size() > functions::kMaxLayers) {
    return tl::unexpected(refused("Cannot reference more than " +
                                  std::to_string(functions::kMaxLayers) + " layers."));
  }
  Document layers = Document::array();
  std::map<std::string, std::string> seen;  // layer → the version that was named first
  for (const auto& entry : *given) {
    const auto& arn = entry.get_ref<const std::string&>();
    const auto named = parse_layer_version_arn(arn);
    if (named && named->region != world.region) {
      return tl::unexpected(
          refused("Layers are not in the same region as the function. Layers are expected to be in "
                  "region " +
                  world.region + "."));
    }
    if (named && named->account != world.account) {
      return tl::unexpected(other_account(named->account, world.account));
    }
    const auto layer = named ? find_layer_version(world, named->layer, named->version) : nullptr;
    if (layer == nullptr || (layer->deleted && !has_layer(configuration, arn))) {
      return tl::unexpected(refused("Layer version " + arn + " does not exist."));
    }
    const auto [first, fresh] = seen.emplace(named->layer, arn);
    if (!fresh) {
      return tl::unexpected(
          refused("Two different versions of the same layer are not allowed to be referenced in "
                  "the same function. " +
                  first->second + " and " + arn + " are versions of the same layer."));
    }
    layers.push_back({{"Arn", arn}, {"CodeSize", layer->zip_bytes}});
  }
  configuration["Layers"] = std::move(layers);
  return {};
}

// Source of the runtime's identifier in answers: recorded; the hash names a build of AWS's, so ours
// is made of zeroes.
void apply_runtime(const Document& input, const ServiceWorld& world, Document& configuration) {
  const auto given = input.find("Runtime");
  if (given == input.end()) return;
  configuration["Runtime"] = *given;
  configuration["RuntimeVersionConfig"] = {
      {"RuntimeVersionArn",
       "arn:aws:lambda:" + world.region + "::runtime:" + std::string(64, '0')}};
}

// Answers have it one level further in than requests. Source: MODEL.
void apply_image(const Document& input, Document& configuration) {
  const auto given = input.find("ImageConfig");
  if (given == input.end()) return;
  configuration.erase("ImageConfigResponse");
  if (!given->empty()) configuration["ImageConfigResponse"] = {{"ImageConfig", *given}};
}

void apply_snap_start(const Document& input, Document& configuration) {
  const auto given = input.find("SnapStart");
  if (given == input.end()) return;
  configuration["SnapStart"] = {{"ApplyOn", given->value("ApplyOn", "None")},
                                {"OptimizationStatus", "Off"}};
}

// Checked on the whole, because an update may add the one to the other.
Checked check_tenants(const Document& configuration) {
  if (!isolates_tenants(configuration) || !uses_snap_start(configuration)) return {};
  return tl::unexpected(not_with_tenants("SnapStart"));
}

void apply_logging(const Document& input, Document& configuration) {
  auto& logging = configuration["LoggingConfig"];
  if (const auto given = input.find("LoggingConfig"); given != input.end()) {
    for (const auto& [key, value] : given->items()) logging[key] = value;
  }
  // Source: developer guide, advanced logging controls: with JSON both levels are INFO unless told.
  if (logging.value("LogFormat", "Text") == "JSON") {
    if (!logging.contains("ApplicationLogLevel")) logging["ApplicationLogLevel"] = "INFO";
    if (!logging.contains("SystemLogLevel")) logging["SystemLogLevel"] = "INFO";
  } else {
    logging.erase("ApplicationLogLevel");
    logging.erase("SystemLogLevel");
  }
}

}  // namespace

Document default_configuration(std::string_view name, const ServiceWorld& world) {
  const std::string function(name);
  return {{"FunctionName", function},
          {"FunctionArn", arn_of(world, function)},
          {"Role", ""},
          {"CodeSize", 0},
          {"Description", ""},
          {"Timeout", 3},
          {"MemorySize", 128},
          {"CodeSha256", ""},
          {"Version", "$LATEST"},
          {"TracingConfig", {{"Mode", "PassThrough"}}},
          {"PackageType", "Zip"},
          {"Architectures", {"x86_64"}},
          {"EphemeralStorage", {{"Size", 512}}},
          {"SnapStart", {{"ApplyOn", "None"}, {"OptimizationStatus", "Off"}}},
          {"LoggingConfig", {{"LogFormat", "Text"}, {"LogGroup", "/aws/lambda/" + function}}},
          {"State", "Active"},
          {"LastUpdateStatus", "Successful"}};
}

Checked apply_configuration(const Document& input,
                            const ServiceWorld& world,
                            Document& configuration) {
  for (const auto* member : kPlainMembers) {
    if (const auto given = input.find(member); given != input.end()) configuration[member] = *given;
  }
  if (configuration.value("KMSKeyArn", "").empty()) configuration.erase("KMSKeyArn");
  apply_runtime(input, world, configuration);
  if (auto applied = apply_managed_instances(input, world, configuration); !applied) {
    return applied;
  }
  if (auto checked = check_limits(configuration); !checked) return checked;
  apply_network(input, configuration);
  if (auto applied = apply_dead_letters(input, configuration); !applied) return applied;
  apply_snap_start(input, configuration);
  if (auto checked = check_tenants(configuration); !checked) return checked;
  if (auto checked = check_snap_start(configuration); !checked) return checked;
  if (auto checked = check_managed_instances(configuration); !checked) return checked;
  apply_image(input, configuration);
  apply_logging(input, configuration);
  if (auto applied = apply_environment(input, configuration); !applied) return applied;
  return apply_layers(input, world, configuration);
}

bool isolates_tenants(const Document& configuration) {
  return configuration.value("TenancyConfig", Document::object())
             .value("TenantIsolationMode", "") == "PER_TENANT";
}

ServiceError not_with_tenants(std::string_view feature) {
  return refused(std::string(feature) +
                 " is not supported for functions with tenant isolation; leave it out, or create "
                 "the function without TenancyConfig");
}

void touch(const ServiceWorld& world, Document& configuration) {
  configuration["LastModified"] = service_time(world.clock.wall_now());
  configuration["RevisionId"] = world.new_uuid();
}

Checked check_revision(const Document& input, const Document& configuration) {
  const auto given = input.find("RevisionId");
  if (given == input.end() || *given == configuration.value("RevisionId", "")) return {};
  return tl::unexpected(revision_mismatch("GetFunction/GetAlias"));
}

Document configuration_of(const registry::FunctionVersion& version) {
  // What the registry holds, this process wrote: nothing else can be there.
  auto configuration = Document::parse(version.configuration, nullptr, false);
  return configuration.is_object() ? configuration : Document::object();
}

Document shown_configuration(const registry::FunctionVersion& version, const ServiceWorld& world) {
  auto configuration = configuration_of(version);
  if (version.number == functions::kLatestVersion || !is_made_ready(configuration)) {
    return configuration;
  }
  if (world.version_status) {
    configuration = with_version_state(std::move(configuration),
                                       world.version_status(version.function_name, version.number));
  }
  if (!is_managed(configuration)) return configuration;
  return with_scaling_state(std::move(configuration), version, world);
}

Document listed_configuration(const registry::FunctionVersion& version) {
  auto configuration = configuration_of(version);
  for (const auto* member : {"State",
                             "StateReason",
                             "StateReasonCode",
                             "LastUpdateStatus",
                             "LastUpdateStatusReason",
                             "LastUpdateStatusReasonCode",
                             "RuntimeVersionConfig"}) {
    configuration.erase(member);
  }
  return configuration;
}

Document listed_version(const registry::FunctionVersion& version, const ServiceWorld& world) {
  auto configuration = listed_configuration(version);
  configuration["FunctionArn"] = arn_of(world, version.function_name, version.number);
  return configuration;
}

Document shown_as_pending(Document configuration, const ServiceWorld& world) {
  configuration["RevisionId"] = world.new_uuid();
  configuration["State"] = "Pending";
  configuration["StateReason"] = "The function is being created.";
  configuration["StateReasonCode"] = "Creating";
  configuration.erase("LastUpdateStatus");
  return configuration;
}

Document shown_as_updating(Document configuration, const ServiceWorld& world) {
  configuration["RevisionId"] = world.new_uuid();
  configuration["LastUpdateStatus"] = "InProgress";
  configuration["LastUpdateStatusReason"] = "The function is being created.";
  configuration["LastUpdateStatusReasonCode"] = "Creating";
  return configuration;
}

}  // namespace emulator::control_plane
