#include "tests/support/service_world.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::control_plane;
using tests::ServiceParts;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:f";

Answer run(ServiceParts& parts, std::string_view name, const Document& input) {
  return parts.run(policy_operations(), name, input);
}

ServiceError refusal(ServiceParts& parts, std::string_view name, const Document& input) {
  const auto answer = run(parts, name, input);
  REQUIRE_FALSE(answer);
  return answer.error();
}

Document permission(const std::string& sid, const Document& more = Document::object()) {
  Document input = {{"FunctionName", "f"},
                    {"StatementId", sid},
                    {"Action", "lambda:InvokeFunction"},
                    {"Principal", "s3.amazonaws.com"}};
  input.update(more);
  return input;
}

std::string statement(ServiceParts& parts, const Document& input) {
  return run(parts, "AddPermission", input).value()["Statement"];
}

}  // namespace

TEST_CASE("a permission becomes a statement as the service writes it", "[policy]") {
  ServiceParts parts;
  parts.create("f");
  const std::string resource = std::string(R"("Resource":")") + kArn + "\"";
  CHECK(statement(parts, permission("a")) ==
        R"({"Sid":"a","Effect":"Allow","Principal":{"Service":"s3.amazonaws.com"},)"
        R"("Action":"lambda:InvokeFunction",)" +
            resource + "}");
  CHECK(statement(
            parts,
            permission("b", {{"SourceArn", "arn:aws:s3:::b"}, {"SourceAccount", "123456789012"}}))
            .ends_with(R"("Condition":{"StringEquals":{"AWS:SourceAccount":"123456789012"},)"
                       R"("ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}})"));
  CHECK(statement(parts, permission("c", {{"Principal", "210987654321"}}))
            .find(R"("Principal":{"AWS":"arn:aws:iam::210987654321:root"})") != std::string::npos);
  CHECK(statement(parts,
                  permission("d",
                             {{"Principal", "*"},
                              {"Action", "lambda:InvokeFunctionUrl"},
                              {"FunctionUrlAuthType", "NONE"}}))
            .ends_with(R"("Condition":{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}})"));
  CHECK(statement(parts, permission("e", {{"PrincipalOrgID", "o-1234567890"}}))
            .ends_with(R"("Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-1234567890"}}})"));
  CHECK(statement(parts, permission("g", {{"InvokedViaFunctionUrl", true}}))
            .ends_with(R"("Condition":{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}})"));
}

TEST_CASE("a policy is read with a revision that each change makes new", "[policy]") {
  ServiceParts parts;
  parts.create("f");
  const Document f = {{"FunctionName", "f"}};
  CHECK(refusal(parts, "GetPolicy", f).message == "The resource you requested does not exist.");
  REQUIRE(run(parts, "AddPermission", permission("a")));
  const auto first = run(parts, "GetPolicy", f).value();
  CHECK(Document::parse(first["Policy"].get<std::string>())["Id"] == "default");
  REQUIRE(run(parts, "AddPermission", permission("b")));
  const auto second = run(parts, "GetPolicy", f).value();
  CHECK(first["RevisionId"] != second["RevisionId"]);
  const auto late =
      refusal(parts, "AddPermission", permission("c", {{"RevisionId", first["RevisionId"]}}));
  CHECK(late.status == 412);
  CHECK(late.exception == "PreconditionFailedException");
  REQUIRE(run(parts, "RemovePermission", {{"FunctionName", "f"}, {"StatementId", "a"}}));
  REQUIRE(run(parts, "RemovePermission", {{"FunctionName", "f"}, {"StatementId", "b"}}));
  CHECK(refusal(parts, "GetPolicy", f).status == 404);
}

TEST_CASE("what a policy cannot have is refused as recorded", "[policy]") {
  ServiceParts parts;
  parts.create("f");
  CHECK(refusal(parts, "RemovePermission", {{"FunctionName", "f"}, {"StatementId", "a"}}).message ==
        "No policy is associated with the given resource.");
  REQUIRE(run(parts, "AddPermission", permission("a")));
  CHECK(refusal(parts, "RemovePermission", {{"FunctionName", "f"}, {"StatementId", "b"}}).message ==
        "Statement b is not found in resource policy.");
  const auto same = refusal(parts, "AddPermission", permission("a"));
  CHECK(same.status == 409);
  CHECK(same.message ==
        "The statement id (a) provided already exists. Please provide a new statement id, or "
        "remove the existing statement.");
  CHECK(refusal(parts, "AddPermission", permission("b", {{"Principal", "nobody"}})).message ==
        "The provided principal was invalid. Please check the principal and try again.");
  CHECK(
      refusal(parts, "AddPermission", permission("b", {{"FunctionUrlAuthType", "NONE"}})).message ==
      "FunctionUrlAuthType is only supported for lambda:InvokeFunctionUrl action");
  CHECK(refusal(parts, "AddPermission", permission("b", {{"Qualifier", "$LATEST"}})).message ==
        "We currently do not support adding policies for $LATEST.");
  CHECK(refusal(parts, "AddPermission", permission("b", {{"Qualifier", "live"}})).message ==
        std::string("Cannot find alias arn: ") + kArn + ":live");
  CHECK(refusal(parts, "AddPermission", permission("b", {{"Qualifier", "7"}})).message ==
        std::string("Function not found: ") + kArn + ":7");
}

TEST_CASE("a policy has a largest size", "[policy]") {
  ServiceParts parts;
  parts.create("f");
  for (int i = 0; i < 2; ++i) {
    REQUIRE(run(parts,
                "AddPermission",
                permission(std::to_string(i), {{"SourceArn", std::string(9900, 'x')}})));
  }
  const auto refused =
      refusal(parts, "AddPermission", permission("c", {{"SourceArn", std::string(9900, 'x')}}));
  CHECK(refused.exception == "PolicyLengthExceededException");
  CHECK(refused.message.ends_with("is bigger than the limit (20480)."));
}

TEST_CASE("versions and aliases have policies of their own", "[policy]") {
  ServiceParts parts;
  parts.create("f", {{"Publish", true}});
  REQUIRE(run(parts, "AddPermission", permission("a", {{"Qualifier", "1"}})));
  CHECK(run(parts, "GetPolicy", {{"FunctionName", "f:1"}})
            .value()["Policy"]
            .get<std::string>()
            .find(std::string(kArn) + ":1") != std::string::npos);
  CHECK(refusal(parts, "GetPolicy", {{"FunctionName", "f"}}).status == 404);
}

TEST_CASE("a whole policy is put, read and deleted by its function's ARN", "[policy]") {
  ServiceParts parts;
  parts.create("f");
  const Document resource = {{"ResourceArn", kArn}};
  CHECK(refusal(parts, "GetResourcePolicy", resource).status == 404);
  for (const auto* text : {"", "{", "[]", "{}", R"({"Statement":[]})", R"({"Statement":[1]})"}) {
    INFO(text);
    const auto refused =
        refusal(parts, "PutResourcePolicy", {{"ResourceArn", kArn}, {"Policy", text}});
    CHECK(refused.exception == "InvalidParameterValueException");
  }
  const auto put = run(parts,
                       "PutResourcePolicy",
                       {{"ResourceArn", kArn}, {"Policy", R"({"Statement":{"Sid":"s"}})"}})
                       .value();
  CHECK(put["Policy"] == R"({"Statement":[{"Sid":"s"}]})");
  CHECK(run(parts, "GetPolicy", {{"FunctionName", "f"}}).value() == put);
  CHECK(refusal(parts, "AddPermission", permission("s")).status == 409);
  CHECK(refusal(parts,
                "DeleteResourcePolicy",
                {{"ResourceArn", kArn}, {"RevisionId", "00000000-0000-0000-0000-999999999999"}})
            .status == 412);
  REQUIRE(run(parts, "DeleteResourcePolicy", resource));
  CHECK(refusal(parts, "DeleteResourcePolicy", resource).status == 404);
  CHECK(refusal(parts,
                "GetResourcePolicy",
                {{"ResourceArn", "arn:aws:lambda:us-east-1:123456789012:runtime/r"}})
            .status == 404);
}
