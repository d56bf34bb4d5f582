#include "emulator/control_plane/operation_router.h"

#include "emulator/control_plane/service_error.h"
#include "emulator/front_doors/request_target.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <array>
#include <exception>

namespace emulator::control_plane {
namespace {

constexpr std::array<std::string_view, 3> kPackageOperations = {
    "CreateFunction", "UpdateFunctionCode", "PublishLayerVersion"};

// Those with routes of their own, see invoke_api.h.
constexpr std::array<std::string_view, 3> kInvokeOperations = {
    "Invoke", "InvokeAsync", "InvokeWithResponseStream"};

template <std::size_t kCount>
bool is_one_of(const std::array<std::string_view, kCount>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

std::vector<std::span<const Operation>> all_operations() {
  return {function_operations(),
          version_operations(),
          layer_operations(),
          concurrency_operations(),
          event_invoke_operations(),
          url_operations(),
          policy_operations(),
          tag_operations(),
          mapping_operations(),
          account_operations(),
          signing_operations(),
          capacity_operations(),
          scaling_operations()};
}

const Operation* OperationRouter::find(std::string_view name) const {
  for (const auto& table : tables_) {
    for (const auto& operation : table) {
      if (operation.name == name) return &operation;
    }
  }
  return nullptr;
}

// The service's paths begin with a date, and nothing else of Hearth's does: other requests need not
// have the model read.
std::optional<OperationMatch> OperationRouter::match(const front_doors::Request& head) const {
  const auto path = front_doors::split_target(head.target).path;
  if (!path.starts_with("/20")) return std::nullopt;
  auto match = match_operation(head.method, head.target);
  if (!match || find(match->operation->name) == nullptr) return std::nullopt;
  return match;
}

bool OperationRouter::handles(const front_doors::Request& head) const {
  return match(head).has_value();
}

std::size_t OperationRouter::body_limit(const front_doors::Request& head) const {
  const auto found = match(head);
  return found && is_one_of(kPackageOperations, found->operation->name) ? kMaxPackageRequestBytes
                                                                        : kMaxOperationRequestBytes;
}

// Where the caller names no revision, it does not matter to it what the function was a moment ago.
Answer OperationRouter::run(const Operation& operation, const Document& input) const {
  auto output = operation.run(input, world_);
  for (int again = 0; again < kMostReruns && !output && output.error().overtaken; ++again) {
    if (input.contains("RevisionId")) break;
    output = operation.run(input, world_);
  }
  return output;
}

front_doors::Reply OperationRouter::answer(front_doors::Request request) const {
  const auto request_id = world_.new_uuid();
  const auto found = match(request);
  if (!found) return error_reply(unknown_operation(), request_id);
  auto input = read_input(*found, std::move(request));
  if (!input) return error_reply(input.error(), request_id);
  try {
    const auto output = run(*find(found->operation->name), *input);
    if (!output) return error_reply(output.error(), request_id);
    return reply_of(*found->operation, *output, request_id);
  } catch (const std::exception& defect) {
    return error_reply(
        service_exception("Hearth failed in " + found->operation->name + ": " + defect.what() +
                          ". This is a defect of Hearth's; please "
                          "report it with the request that shows it."),
        request_id);
  }
}

front_doors::Reply OperationRouter::refuse_too_large(const front_doors::Request& head) const {
  const auto found = match(head);
  if (!found) return error_reply(unknown_operation(), world_.new_uuid());
  return error_reply(operation_too_large(body_limit(head), found->operation->name),
                     world_.new_uuid());
}

std::vector<std::string> OperationRouter::missing_operations() const {
  std::vector<std::string> missing;
  for (const auto& operation : model_operations()) {
    if (find(operation.name) == nullptr && !is_one_of(kInvokeOperations, operation.name)) {
      missing.push_back(operation.name);
    }
  }
  return missing;
}

}  // namespace emulator::control_plane
