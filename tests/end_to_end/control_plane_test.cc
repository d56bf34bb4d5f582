// The life of a function and of all that hangs on it, as boto3 sees it: an SDK that knows nothing
// of Hearth but its address.
#include "tests/end_to_end/lambda_api.h"
#include "tests/support/zip_bytes.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using nlohmann::json;
using tests::boto3;
using tests::Serving;

namespace {

constexpr const char* kArn = "arn:aws:lambda:us-east-1:123456789012:function:greeter";

json zip_of(const std::string& source) {
  return {{"base64", tests::base64(tests::zip_bytes({{"app.py", source}}))}};
}

json creation(const std::string& name, const std::string& source) {
  return {{"create_function",
           {{"FunctionName", name},
            {"Runtime", "python3.11"},
            {"Role", tests::kSomeRole},
            {"Handler", "app.handler"},
            {"Timeout", 20},
            {"Code", {{"ZipFile", zip_of(source)}}}}}};
}

json call(const std::string& operation, json arguments = json::object()) {
  return {{operation, std::move(arguments)}};
}

// With the function's name among the arguments.
json of_greeter(const std::string& operation, json arguments = json::object()) {
  arguments["FunctionName"] = "greeter";
  return call(operation, std::move(arguments));
}

json invoke_greeter(json arguments = json::object()) {
  arguments["LogType"] = "Tail";
  return of_greeter("invoke", std::move(arguments));
}

json wait_for(const std::string& waiter) { return of_greeter("wait", {{"for", waiter}}); }

bool is_cold(const json& invoked) {
  return tests::base64_decoded(invoked.at("LogResult").get<std::string>()).find("Init Duration") !=
         std::string::npos;
}

// All that a paginator brought, of one list, by one member.
std::vector<std::string> paged(const json& result, const char* list, const char* member) {
  std::vector<std::string> values;
  for (const auto& page : result.at("pages")) {
    for (const auto& entry : page.at(list)) {
      const auto& value = entry.at(member);
      values.push_back(value.is_string() ? value.get<std::string>() : value.dump());
    }
  }
  return values;
}

void check_error(const json& result, int status, const char* type, const std::string& message) {
  INFO(result);
  CHECK(result.value("status", 0) == status);
  CHECK(result.value("error", "") == type);
  CHECK(result.value("message", "") == message);
}

constexpr const char* kHello = "def handler(event, context): return 'hello'\n";
constexpr const char* kBye = "def handler(event, context): return 'bye'\n";
constexpr const char* kShowsItself =
    "import os\n"
    "def handler(event, context):\n"
    "    return [os.environ.get('GREETING'), context.memory_limit_in_mb,\n"
    "            context.invoked_function_arn]\n";

}  // namespace

TEST_CASE("boto3 creates a function, waits for it, runs it and gives it other code",
          "[control-plane]") {
  Serving serving({});
  const auto results = boto3(serving,
                             {creation("greeter", kHello),
                              wait_for("function_active_v2"),
                              invoke_greeter(),
                              invoke_greeter(),
                              of_greeter("update_function_code", {{"ZipFile", zip_of(kBye)}}),
                              wait_for("function_updated_v2"),
                              invoke_greeter(),
                              of_greeter("get_function"),
                              of_greeter("get_function_configuration")});
  INFO(results);
  const auto& created = results[0];
  CHECK(created["status"] == 201);
  CHECK(created["State"] == "Pending");
  CHECK(created["StateReasonCode"] == "Creating");
  CHECK(created["StateReason"] == "The function is being created.");
  CHECK(created["FunctionArn"] == kArn);
  CHECK(created["Version"] == "$LATEST");
  CHECK(created["MemorySize"] == 128);
  CHECK_FALSE(created.contains("LastUpdateStatus"));
  CHECK(results[1].contains("waited"));
  CHECK(results[2]["Payload"] == "\"hello\"");
  CHECK(is_cold(results[2]));
  CHECK_FALSE(is_cold(results[3]));
  CHECK(results[4]["LastUpdateStatus"] == "InProgress");
  CHECK(results[4]["CodeSha256"] != created["CodeSha256"]);
  CHECK(results[5].contains("waited"));
  CHECK(results[6]["Payload"] == "\"bye\"");
  CHECK(is_cold(results[6]));
  CHECK(results[7]["Configuration"]["State"] == "Active");
  CHECK(results[7]["Configuration"]["CodeSha256"] == results[4]["CodeSha256"]);
  CHECK(results[8]["LastUpdateStatus"] == "Successful");

  // The code can be fetched where GetFunction says, as it was sent.
  const auto location = results[7]["Code"]["Location"].get<std::string>();
  REQUIRE(location.starts_with(serving.address()));
  const auto fetched =
      tests::http(serving.port(), "GET", location.substr(serving.address().size()));
  CHECK(fetched.status == 200);
  CHECK(fetched.body == tests::zip_bytes({{"app.py", kBye}}));
  serving.stop();
}

TEST_CASE("boto3 changes a function's configuration and publishes what it was", "[control-plane]") {
  Serving serving({});
  const auto results =
      boto3(serving,
            {creation("greeter", kShowsItself),
             of_greeter("publish_version", {{"Description", "first"}}),
             of_greeter("update_function_configuration",
                        {{"Environment", {{"Variables", {{"GREETING", "servus"}}}}},
                         {"MemorySize", 256},
                         {"Timeout", 7}}),
             wait_for("function_updated_v2"),
             of_greeter("publish_version"),
             of_greeter("publish_version"),
             of_greeter("create_alias", {{"Name", "live"}, {"FunctionVersion", "1"}}),
             invoke_greeter({{"Qualifier", "live"}}),
             of_greeter("update_alias", {{"Name", "live"}, {"FunctionVersion", "2"}}),
             invoke_greeter({{"Qualifier", "live"}}),
             of_greeter("get_function_configuration", {{"Qualifier", "1"}}),
             of_greeter("delete_function", {{"Qualifier", "2"}}),
             of_greeter("delete_alias", {{"Name", "live"}}),
             invoke_greeter({{"Qualifier", "live"}})});
  INFO(results);
  CHECK(results[1]["Version"] == "1");
  CHECK(results[1]["Description"] == "first");
  CHECK(results[2]["Timeout"] == 7);
  CHECK(results[4]["Version"] == "2");
  CHECK(results[5]["Version"] == "2");  // nothing has changed
  CHECK(results[6]["AliasArn"] == std::string(kArn) + ":live");
  CHECK(json::parse(results[7]["Payload"].get<std::string>()) ==
        json{nullptr, "128", std::string(kArn) + ":live"});
  CHECK(results[7]["ExecutedVersion"] == "1");
  CHECK(json::parse(results[9]["Payload"].get<std::string>()) ==
        json{"servus", "256", std::string(kArn) + ":live"});
  CHECK(results[9]["ExecutedVersion"] == "2");
  CHECK(results[10]["MemorySize"] == 128);
  check_error(results[11],
              409,
              "ResourceConflictException",
              "Unable to delete version because the following aliases reference it: [live]");
  CHECK(results[12]["status"] == 204);
  check_error(results[13],
              404,
              "ResourceNotFoundException",
              "Function not found: " + std::string(kArn) + ":live");
  serving.stop();
}

TEST_CASE("boto3's paginators see each function, version, alias and layer once",
          "[control-plane]") {
  Serving serving({});
  std::vector<json> calls;
  for (const auto* name : {"c", "a", "greeter", "b", "d"}) calls.push_back(creation(name, kHello));
  for (const auto* version : {"1", "2", "3"}) {
    calls.push_back(
        of_greeter("update_function_configuration", {{"Description", std::string(version)}}));
    calls.push_back(of_greeter("publish_version"));
    calls.push_back(of_greeter(
        "create_alias", {{"Name", "to" + std::string(version)}, {"FunctionVersion", version}}));
  }
  for (const auto* layer : {"tools", "words", "tools"}) {
    calls.push_back(call("publish_layer_version",
                         {{"LayerName", layer}, {"Content", {{"ZipFile", zip_of(kHello)}}}}));
  }
  const auto first_list = calls.size();
  const auto paginate = [](const char* operation, json arguments) {
    arguments["operation"] = operation;
    arguments["size"] = 2;
    return call("paginate", std::move(arguments));
  };
  calls.push_back(paginate("list_functions", json::object()));
  calls.push_back(paginate("list_versions_by_function", {{"FunctionName", "greeter"}}));
  calls.push_back(paginate("list_aliases", {{"FunctionName", "greeter"}}));
  calls.push_back(paginate("list_layers", json::object()));
  calls.push_back(paginate("list_layer_versions", {{"LayerName", "tools"}}));
  const auto results = boto3(serving, calls);
  using Names = std::vector<std::string>;
  const auto at = [&](std::size_t index) { return results[first_list + index]; };
  INFO(results);
  CHECK(paged(at(0), "Functions", "FunctionName") == Names{"a", "b", "c", "d", "greeter"});
  CHECK(at(0)["pages"].size() == 3);
  CHECK(paged(at(1), "Versions", "Version") == Names{"$LATEST", "1", "2", "3"});
  CHECK(paged(at(2), "Aliases", "Name") == Names{"to1", "to2", "to3"});
  CHECK(paged(at(3), "Layers", "LayerName") == Names{"tools", "words"});
  CHECK(paged(at(4), "LayerVersions", "Version") == Names{"2", "1"});
  serving.stop();
}

TEST_CASE("a layer that boto3 publishes is below the function that names it", "[control-plane]") {
  Serving serving({});
  const auto layer = boto3(serving,
                           {call("publish_layer_version",
                                 {{"LayerName", "words"},
                                  {"CompatibleRuntimes", {"python3.11"}},
                                  {"Content",
                                   {{"ZipFile",
                                     {{"base64",
                                       tests::base64(tests::zip_bytes(
                                           {{"python/words.py", "WORD = 'layered'\n"}}))}}}}}})})
                         .at(0);
  REQUIRE(layer["Version"] == 1);
  auto create =
      creation("greeter", "import words\ndef handler(event, context): return words.WORD\n");
  create["create_function"]["Layers"] = {layer["LayerVersionArn"]};
  const auto results =
      boto3(serving,
            {create,
             invoke_greeter(),
             call("delete_layer_version", {{"LayerName", "words"}, {"VersionNumber", 1}}),
             invoke_greeter(),
             call("get_layer_version", {{"LayerName", "words"}, {"VersionNumber", 1}})});
  INFO(results);
  CHECK(results[0]["Layers"][0]["Arn"] == layer["LayerVersionArn"]);
  CHECK(results[1]["Payload"] == "\"layered\"");
  CHECK(results[2]["status"] == 204);
  CHECK(results[3]["Payload"] == "\"layered\"");
  check_error(
      results[4], 404, "ResourceNotFoundException", "The resource you requested does not exist.");
  serving.stop();
}

TEST_CASE("boto3 tags a function, permits others and gives it a URL", "[control-plane]") {
  Serving serving({});
  const auto results = boto3(
      serving,
      {creation("greeter", kHello),
       call("tag_resource", {{"Resource", kArn}, {"Tags", {{"team", "blue"}, {"stage", "x"}}}}),
       call("untag_resource", {{"Resource", kArn}, {"TagKeys", {"stage"}}}),
       call("list_tags", {{"Resource", kArn}}),
       of_greeter("get_function"),
       of_greeter("add_permission",
                  {{"StatementId", "s3"},
                   {"Action", "lambda:InvokeFunction"},
                   {"Principal", "s3.amazonaws.com"}}),
       of_greeter("add_permission",
                  {{"StatementId", "s3"},
                   {"Action", "lambda:InvokeFunction"},
                   {"Principal", "s3.amazonaws.com"}}),
       of_greeter("get_policy"),
       of_greeter("remove_permission", {{"StatementId", "s3"}}),
       of_greeter("get_policy"),
       of_greeter("create_function_url_config", {{"AuthType", "NONE"}}),
       of_greeter("update_function_url_config", {{"AuthType", "AWS_IAM"}}),
       of_greeter("get_function_url_config"),
       of_greeter("delete_function_url_config"),
       of_greeter("get_function_url_config")});
  INFO(results);
  CHECK(results[3]["Tags"] == json{{"team", "blue"}});
  CHECK(results[4]["Tags"] == json{{"team", "blue"}});
  CHECK(json::parse(results[5]["Statement"].get<std::string>())["Resource"] == kArn);
  check_error(
      results[6],
      409,
      "ResourceConflictException",
      "The statement id (s3) provided already exists. Please provide a new statement id, or "
      "remove the existing statement.");
  CHECK(json::parse(results[7]["Policy"].get<std::string>())["Statement"].size() == 1);
  CHECK(results[8]["status"] == 204);
  const char* nothing = "The resource you requested does not exist.";
  check_error(results[9], 404, "ResourceNotFoundException", nothing);
  CHECK(results[10]["status"] == 201);
  CHECK(results[10]["AuthType"] == "NONE");
  CHECK(results[12]["AuthType"] == "AWS_IAM");
  CHECK(results[12]["InvokeMode"] == "BUFFERED");
  CHECK(results[13]["status"] == 204);
  check_error(results[14], 404, "ResourceNotFoundException", nothing);
  serving.stop();
}

TEST_CASE("boto3 sets how a function is run asynchronously, at once and how it recurs",
          "[control-plane]") {
  Serving serving({});
  const auto results =
      boto3(serving,
            {creation("greeter", kHello),
             of_greeter("put_function_event_invoke_config",
                        {{"MaximumRetryAttempts", 1}, {"MaximumEventAgeInSeconds", 60}}),
             of_greeter("update_function_event_invoke_config", {{"MaximumRetryAttempts", 0}}),
             of_greeter("get_function_event_invoke_config"),
             of_greeter("delete_function_event_invoke_config"),
             of_greeter("get_function_event_invoke_config"),
             of_greeter("put_function_concurrency", {{"ReservedConcurrentExecutions", 5}}),
             of_greeter("get_function_concurrency"),
             call("get_account_settings"),
             of_greeter("delete_function_concurrency"),
             of_greeter("put_function_concurrency", {{"ReservedConcurrentExecutions", 901}}),
             of_greeter("put_function_recursion_config", {{"RecursiveLoop", "Allow"}}),
             of_greeter("get_function_recursion_config"),
             of_greeter("put_runtime_management_config", {{"UpdateRuntimeOn", "FunctionUpdate"}}),
             of_greeter("get_runtime_management_config")});
  INFO(results);
  CHECK(results[1]["FunctionArn"] == std::string(kArn) + ":$LATEST");
  CHECK(results[3]["MaximumRetryAttempts"] == 0);
  CHECK(results[3]["MaximumEventAgeInSeconds"] == 60);
  check_error(results[5],
              404,
              "ResourceNotFoundException",
              "The function " + std::string(kArn) + ":$LATEST doesn't have an EventInvokeConfig");
  CHECK(results[7]["ReservedConcurrentExecutions"] == 5);
  CHECK(results[8]["AccountLimit"]["UnreservedConcurrentExecutions"] == 995);
  CHECK(results[8]["AccountUsage"]["FunctionCount"] == 1);
  check_error(results[10],
              400,
              "InvalidParameterValueException",
              "Specified ReservedConcurrentExecutions for function decreases account's "
              "UnreservedConcurrentExecution below its minimum value of [100].");
  CHECK(results[12]["RecursiveLoop"] == "Allow");
  CHECK(results[14]["UpdateRuntimeOn"] == "FunctionUpdate");
  serving.stop();
}

TEST_CASE("boto3 keeps code-signing configurations and event source mappings", "[control-plane]") {
  Serving serving({});
  const json publishers = {
      {"SigningProfileVersionArns",
       {"arn:aws:signer:us-east-1:123456789012:/signing-profiles/test/abcdefghij"}}};
  const auto first = boto3(serving,
                           {creation("greeter", kHello),
                            call("create_code_signing_config", {{"AllowedPublishers", publishers}}),
                            call("create_event_source_mapping",
                                 {{"FunctionName", "greeter"},
                                  {"EventSourceArn", "arn:aws:sqs:us-east-1:123456789012:orders"},
                                  {"BatchSize", 5}})});
  INFO(first);
  CHECK(first[1]["status"] == 201);
  CHECK(first[2]["status"] == 202);
  CHECK(first[2]["State"] == "Creating");
  const auto signing = first[1].at("CodeSigningConfig").at("CodeSigningConfigArn");
  const auto uuid = first[2].at("UUID");
  const auto then =
      boto3(serving,
            {of_greeter("put_function_code_signing_config", {{"CodeSigningConfigArn", signing}}),
             call("list_functions_by_code_signing_config", {{"CodeSigningConfigArn", signing}}),
             of_greeter("delete_function_code_signing_config"),
             call("delete_code_signing_config", {{"CodeSigningConfigArn", signing}}),
             call("get_code_signing_config", {{"CodeSigningConfigArn", signing}}),
             call("get_event_source_mapping", {{"UUID", uuid}}),
             call("update_event_source_mapping", {{"UUID", uuid}, {"BatchSize", 7}}),
             call("list_event_source_mappings", {{"FunctionName", "greeter"}}),
             call("delete_event_source_mapping", {{"UUID", uuid}})});
  INFO(then);
  CHECK(then[1]["FunctionArns"] == json::array({kArn}));
  CHECK(then[3]["status"] == 204);
  check_error(
      then[4],
      404,
      "ResourceNotFoundException",
      "The Lambda code signing configuration " + signing.get<std::string>() + " can not be found.");
  CHECK(then[5]["BatchSize"] == 5);
  CHECK(then[6]["BatchSize"] == 7);
  CHECK(then[7]["EventSourceMappings"].size() == 1);
  CHECK(then[8]["State"] == "Deleting");
  serving.stop();
}

TEST_CASE("boto3 raises its own exceptions, with the service's words", "[control-plane]") {
  Serving serving({});
  auto bad_code = creation("greeter", kHello);
  bad_code["create_function"]["Code"] = {{"ZipFile", {{"base64", tests::base64("no zip")}}}};
  auto bad_role = creation("greeter", kHello);
  bad_role["create_function"]["Role"] = "r1";
  const auto results =
      boto3(serving,
            {of_greeter("get_function"),
             bad_code,
             bad_role,
             creation("greeter", kHello),
             creation("greeter", kHello),
             of_greeter("publish_version", {{"RevisionId", "wrong"}}),
             of_greeter("create_alias", {{"Name", "live"}, {"FunctionVersion", "10"}}),
             of_greeter("delete_function"),
             of_greeter("delete_function"),
             call("invoke", {{"FunctionName", "greeter"}})});
  INFO(results);
  const auto unknown = "Function not found: " + std::string(kArn);
  check_error(results[0], 404, "ResourceNotFoundException", unknown);
  CHECK(results[0]["exception"] == "ResourceNotFoundException");
  check_error(results[1],
              400,
              "InvalidParameterValueException",
              "Could not unzip uploaded file. Please check your file, then try to upload again.");
  CHECK(results[2]["error"] == "ValidationException");
  CHECK(results[2]["message"].get<std::string>().starts_with(
      "1 validation error detected: Value 'r1' at 'role' failed to satisfy constraint: Member must "
      "satisfy regular expression pattern: "));
  CHECK(results[3]["status"] == 201);
  CHECK(results[4]["exception"] == "ResourceConflictException");
  check_error(results[4], 409, "ResourceConflictException", "Function already exist: greeter");
  check_error(results[5],
              412,
              "PreconditionFailedException",
              "The Revision Id provided does not match the latest Revision Id. Call the "
              "GetFunction/GetAlias API to retrieve the latest Revision Id");
  check_error(results[6], 404, "ResourceNotFoundException", unknown + ":10");
  CHECK(results[7]["status"] == 204);
  check_error(results[8], 404, "ResourceNotFoundException", unknown);
  check_error(results[9], 404, "ResourceNotFoundException", unknown + ":$LATEST");
  serving.stop();
}
