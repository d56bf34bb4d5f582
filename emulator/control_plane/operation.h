// An operation of the Lambda API as a function of values: the members that a request brought in,
// the members that its answer has. Where they stand on the wire — path, query, header or body — is
// service_model.h's business.
//
// An operation is handed input that the model allows: required members are there, types, lengths,
// ranges, patterns and enumerations hold. It looks only at what the model cannot say.
//
// Threads: operations are called from any connection's thread, several at a time.
#pragma once

#include "emulator/control_plane/service_error.h"
#include "emulator/environment/version_status.h"
#include "emulator/functions/code_store.h"
#include "emulator/functions/function.h"
#include "emulator/registry/registry.h"
#include "emulator/time/clock.h"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::control_plane {

using Document = nlohmann::ordered_json;
using Answer = tl::expected<Document, ServiceError>;

// What the account allows. Sources: AWS Lambda quotas page; what an account of another size may
// reserve is ours: all but a tenth, and all but 100 of a thousand or more.
struct AccountLimits {
  std::size_t concurrent_executions = 1000;
  std::size_t unreserved_minimum = 100;
  std::int64_t total_code_bytes = std::int64_t{75} * 1024 * 1024 * 1024;
  std::int64_t unzipped_code_bytes = 262'144'000;
  std::int64_t zipped_code_bytes = 52'428'800;
};

// How far provisioned concurrency is. Source: service model, ProvisionedConcurrencyStatusEnum.
struct ProvisionedState {
  enum class Status { in_progress, ready, failed };
  Status status = Status::in_progress;
  int allocated = 0;
  int available = 0;
  std::string reason;  // of a failure: "FUNCTION_ERROR_INIT_FAILURE"
};

// What operations act on. The references outlive every call.
struct ServiceWorld {
  registry::Registry& registry;
  functions::CodeStore& code;
  const time::Clock& clock;  // the service's; virtual where the user asked for it
  std::function<std::string()> new_uuid;
  std::string region{functions::kDefaultRegion};
  std::string account{functions::kDefaultAccount};
  AccountLimits limits{};
  // Of a function's qualifier that has provisioned concurrency.
  std::function<ProvisionedState(const std::string& function, const std::string& qualifier)>
      provisioned_state{};
  // Of a function's published version; nothing: it is not made ready before it is invoked.
  std::function<std::optional<environment::VersionStatus>(const std::string& function,
                                                          const std::string& number)>
      version_status{};
  // Whether the machine could run such a function; a sentence where it could not.
  std::function<std::optional<std::string>(const registry::FunctionVersion&)> unrunnable{};
  // Below which folders code may be used in place. A function can reach this API too, and must not
  // make a function of the developer's other files.
  std::vector<std::filesystem::path> hot_folders{};
  // What the API's own address is, for URLs in answers: "http://127.0.0.1:4566".
  std::string endpoint{};
  // Serialises what changes the sum of reserved and provisioned concurrency.
  mutable std::mutex concurrency_changes{};
  // Serialises the making of event source mappings, of which no two may be the same.
  mutable std::mutex mapping_changes{};
};

struct Operation {
  std::string_view name;  // the model's: "CreateFunction"
  Answer (*run)(const Document& input, ServiceWorld& world);
};

// The operations by what they are about, one unit each.
std::span<const Operation> function_operations();      // functions, their code and configuration
std::span<const Operation> version_operations();       // published versions and aliases
std::span<const Operation> layer_operations();         // layers and their policies
std::span<const Operation> concurrency_operations();   // reserved, provisioned
std::span<const Operation> event_invoke_operations();  // asynchronous configuration
std::span<const Operation> url_operations();           // function URLs
std::span<const Operation> policy_operations();        // resource-based policies of functions
std::span<const Operation> tag_operations();
std::span<const Operation> mapping_operations();   // event source mappings
std::span<const Operation> account_operations();   // settings, recursion, runtime management
std::span<const Operation> signing_operations();   // code-signing configurations
std::span<const Operation> capacity_operations();  // capacity providers
std::span<const Operation> scaling_operations();   // environments on Managed Instances

}  // namespace emulator::control_plane
