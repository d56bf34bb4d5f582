#include "emulator/control_plane/policy_document.h"

#include "emulator/invoke/json_syntax.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <optional>

namespace emulator::control_plane {
namespace {

constexpr std::string_view kInvokeUrl = "lambda:InvokeFunctionUrl";

bool is_account(std::string_view text) {
  return text.size() == 12 &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

// nullopt: no such principal can be.
std::optional<Document> principal_of(const std::string& principal) {
  if (principal == "*") return Document("*");
  if (is_account(principal)) {
    return Document{{"AWS", "arn:aws:iam::" + principal + ":root"}};
  }
  if (principal.starts_with("arn:")) return Document{{"AWS", principal}};
  const auto dot = principal.find('.');
  if (dot == std::string::npos || dot == 0 || principal.ends_with('.')) return std::nullopt;
  return Document{{"Service", principal}};
}

Document condition_of(const Document& input) {
  Document equal = Document::object();
  const auto add = [&](const char* member, const char* key) {
    if (input.contains(member)) equal[key] = input[member];
  };
  add("SourceAccount", "AWS:SourceAccount");
  add("EventSourceToken", "lambda:EventSourceToken");
  add("FunctionUrlAuthType", "lambda:FunctionUrlAuthType");
  add("PrincipalOrgID", "aws:PrincipalOrgID");
  Document condition = Document::object();
  if (!equal.empty()) condition["StringEquals"] = std::move(equal);
  if (input.contains("SourceArn")) {
    condition["ArnLike"] = {{"AWS:SourceArn", input["SourceArn"]}};
  }
  if (input.contains("InvokedViaFunctionUrl")) {
    condition["Bool"] = {{"lambda:InvokedViaFunctionUrl",
                          input["InvokedViaFunctionUrl"].get<bool>() ? "true" : "false"}};
  }
  return condition;
}

ServiceError not_a_policy(const std::string& why) {
  return invalid_parameter_value("The policy is not one that can be kept: " + why);
}

}  // namespace

Document empty_policy() {
  return {{"Version", "2012-10-17"}, {"Id", "default"}, {"Statement", Document::array()}};
}

tl::expected<Document, ServiceError> statement_of(const Document& input,
                                                  std::string_view resource) {
  const auto action = input.value("Action", "");
  if (input.contains("FunctionUrlAuthType") && action != kInvokeUrl) {
    return tl::unexpected(invalid_parameter_value(
        "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action"));
  }
  auto principal = principal_of(input.value("Principal", ""));
  if (!principal) {
    return tl::unexpected(invalid_parameter_value(
        "The provided principal was invalid. Please check the principal and try again."));
  }
  Document statement = {{"Sid", input.value("StatementId", "")},
                        {"Effect", "Allow"},
                        {"Principal", std::move(*principal)},
                        {"Action", action},
                        {"Resource", std::string(resource)}};
  auto condition = condition_of(input);
  if (!condition.empty()) statement["Condition"] = std::move(condition);
  return statement;
}

tl::expected<Document, ServiceError> policy_from(const std::string& text) {
  if (const auto fault = invoke::find_json_fault(text)) {
    return tl::unexpected(not_a_policy(describe(*fault, text)));
  }
  auto policy = Document::parse(text, nullptr, false);
  if (!policy.is_object()) return tl::unexpected(not_a_policy("it must be a JSON object"));
  auto statements = policy.find("Statement");
  if (statements != policy.end() && statements->is_object()) {
    *statements = Document::array({*statements});
  }
  if (statements == policy.end() || !statements->is_array() || statements->empty() ||
      !std::all_of(statements->begin(), statements->end(), [](const auto& statement) {
        return statement.is_object();
      })) {
    return tl::unexpected(not_a_policy("its Statement must be a list of one object or more"));
  }
  return policy;
}

tl::expected<void, ServiceError> check_policy_size(const Document& policy) {
  const auto size = policy.dump().size();
  if (size <= kMaxPolicyBytes) return {};
  ServiceError error;
  error.exception = "PolicyLengthExceededException";
  error.status = 400;
  error.message = "The final policy size (" + std::to_string(size) +
                  ") is bigger than the limit (" + std::to_string(kMaxPolicyBytes) + ").";
  return tl::unexpected(std::move(error));
}

}  // namespace emulator::control_plane
