#include "emulator/control_plane/service_model.h"

#include "emulator/control_plane/enumeration_order.h"
#include "emulator/control_plane/model_shape.h"
#include "emulator/control_plane/text_pattern.h"
#include "emulator/control_plane/utf8_text.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <set>

using namespace emulator::control_plane;
using emulator::front_doors::Request;

namespace {

struct Sent {
  std::string method;
  std::string target;
  std::string body;
};

tl::expected<Document, ServiceError> read(const Sent& sent) {
  const auto match = match_operation(sent.method, sent.target);
  REQUIRE(match);
  Request request;
  request.method = sent.method;
  request.target = sent.target;
  request.body = sent.body;
  return read_input(*match, std::move(request));
}

ServiceError refusal(const Sent& sent) {
  const auto input = read(sent);
  REQUIRE_FALSE(input);
  return input.error();
}

std::string name_of(std::string_view method, std::string_view target) {
  const auto match = match_operation(method, target);
  return match ? match->operation->name : "";
}

Sent create(const Document& changes) {
  Document body = {{"FunctionName", "f"},
                   {"Role", "arn:aws:iam::123456789012:role/r"},
                   {"Code", {{"ZipFile", "UEsFBg=="}}}};
  body.update(changes);
  return {"POST", "/2015-03-31/functions", body.dump()};
}

Sent update(const std::string& body) {
  return {"PUT", "/2015-03-31/functions/f/configuration", body};
}

std::set<const ModelShape*> all_shapes() {
  std::vector<const ModelShape*> left;
  for (const auto& operation : model_operations()) {
    left.push_back(operation.input);
    left.push_back(operation.output);
  }
  std::set<const ModelShape*> seen;
  while (!left.empty()) {
    const auto* shape = left.back();
    left.pop_back();
    if (shape == nullptr || !seen.insert(shape).second) continue;
    left.push_back(shape->element);
    left.push_back(shape->key);
    for (const auto& member : shape->members) left.push_back(member.shape);
  }
  return seen;
}

}  // namespace

TEST_CASE("method and path say which operation a request is", "[service model]") {
  CHECK(name_of("POST", "/2015-03-31/functions") == "CreateFunction");
  CHECK(name_of("GET", "/2015-03-31/functions/") == "ListFunctions");
  CHECK(name_of("GET", "/2015-03-31/functions?MaxItems=1") == "ListFunctions");
  CHECK(name_of("GET", "/2015-03-31/functions/f/configuration") == "GetFunctionConfiguration");
  CHECK(name_of("GET", "/2018-10-31/layers?find=LayerVersion&Arn=a") == "GetLayerVersionByArn");
  CHECK(name_of("GET", "/2018-10-31/layers?Marker=a") == "ListLayers");
  CHECK(name_of("GET", "/2019-09-30/functions/f/provisioned-concurrency?List=ALL") ==
        "ListProvisionedConcurrencyConfigs");
  CHECK(name_of("GET", "/2019-09-30/functions/f/provisioned-concurrency?Qualifier=1") ==
        "GetProvisionedConcurrencyConfig");
  CHECK(name_of("PATCH", "/2015-03-31/functions").empty());
  CHECK(name_of("get", "/2015-03-31/functions").empty());
  CHECK(name_of("GET", "/2015-03-31/functions//policy").empty());
  CHECK(name_of("GET", "/2021-10-31/functions/f/policy").empty());
  CHECK(name_of("GET", "/").empty());
  CHECK(name_of("GET", "").empty());
}

TEST_CASE("every operation of the model is found by its own path and name", "[service model]") {
  CHECK(model_operations().size() == 91);
  for (const auto& operation : model_operations()) {
    INFO(operation.name);
    CHECK(find_operation(operation.name) == &operation);
    auto target = operation.path;
    for (auto at = target.find('{'); at != std::string::npos; at = target.find('{')) {
      target.replace(at, target.find('}') - at + 1, "x");
    }
    CHECK(name_of(operation.method, target) == operation.name);
  }
  CHECK(find_operation("DoNothing") == nullptr);
}

TEST_CASE("every pattern of the model is a regular expression", "[service model]") {
  std::size_t patterns = 0;
  for (const auto* shape : all_shapes()) {
    if (!shape->pattern) continue;
    INFO(shape->name << ": " << shape->pattern->text());
    CHECK(shape->pattern->is_valid());
    ++patterns;
  }
  CHECK(patterns > 50);
}

TEST_CASE("a pattern is about all of a text, as Java has it", "[service model]") {
  CHECK(TextPattern("a|bc").matches("bc"));
  CHECK_FALSE(TextPattern("a|bc").matches("abc"));
  CHECK_FALSE(TextPattern("[a-z]+").matches("abc\n"));
  CHECK_FALSE(TextPattern("a$").matches("a\n"));
  CHECK_FALSE(TextPattern(".*").matches("a\r"));
  CHECK(TextPattern("((?!^\\d+$)^[0-9a-z]+$)").matches("1a"));
  CHECK_FALSE(TextPattern("((?!^\\d+$)^[0-9a-z]+$)").matches("12"));
  CHECK(TextPattern("[\\p{L}]*").matches("Zürich"));
  CHECK_FALSE(TextPattern(".*").matches("\xff"));
  CHECK_FALSE(TextPattern("(").matches("("));
}

TEST_CASE("a text on which a pattern would never end does not match", "[service model]") {
  CHECK_FALSE(TextPattern("(a+)+b").matches(std::string(5000, 'a')));
}

TEST_CASE("members come from path, query and body, decoded", "[service model]") {
  const auto input = read({"POST",
                           "/2015-03-31/functions/a%3Ab/policy?Qualifier=live%2Btest",
                           R"({"StatementId":"s","Action":"lambda:*","Principal":"*","Junk":1,)"
                           R"("SourceArn":null})"});
  REQUIRE_FALSE(input);
  CHECK(input.error().message.find("Value 'live+test' at 'qualifier'") != std::string::npos);
  const auto good = read({"POST",
                          "/2015-03-31/functions/a%3Ab/policy?Qualifier=live",
                          R"({"StatementId":"s","Action":"lambda:*","Principal":"*","Junk":1,)"
                          R"("SourceArn":null})"})
                        .value();
  CHECK(good == Document{{"FunctionName", "a:b"},
                         {"StatementId", "s"},
                         {"Action", "lambda:*"},
                         {"Principal", "*"},
                         {"Qualifier", "live"}});
}

TEST_CASE("a list in a query has all its values, under the name on the wire", "[service model]") {
  const std::string arn = "arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af";
  const auto input =
      read({"DELETE", "/2017-03-31/tags/" + arn + "?tagKeys=a&tagKeys=b%20c", ""}).value();
  CHECK(input["TagKeys"] == Document{"a", "b c"});
  CHECK(read({"GET", "/2015-03-31/functions?MaxItems=7&Marker=", ""}).value() ==
        Document{{"Marker", ""}, {"MaxItems", 7}});
  CHECK(read({"GET", "/2015-03-31/functions?MaxItems=", ""}).value().empty());
}

TEST_CASE("a value of another type is a SerializationException", "[service model]") {
  const std::pair<const char*, const char*> rows[] = {
      {R"({"Description":1})", "NUMBER_VALUE can not be converted to a String"},
      {R"({"Description":true})", "TRUE_VALUE can not be converted to a String"},
      {R"({"Description":{}})", "Start of structure or map found where not expected."},
      {R"({"Description":[]})", "Start of list found where not expected"},
      {R"({"Timeout":"3"})", "STRING_VALUE can not be converted to an Integer"},
      {R"({"Timeout":2.5})", "NUMBER_VALUE can not be converted to an Integer"},
      {R"({"Timeout":3000000000})", "NUMBER_VALUE can not be converted to an Integer"},
      {R"({"Timeout":-99999999999999999999})", "NUMBER_VALUE can not be converted to an Integer"},
      {R"({"Environment":"A=b"})", "Unexpected field type"},
      {R"({"Layers":{}})", "Start of structure or map found where not expected."},
      {R"({"Environment":{"Variables":{"A":1}}})", "NUMBER_VALUE can not be converted to a String"},
      {R"([])", "Start of list found where not expected"},
      {R"("text")", "Unexpected field type"},
      {R"({"Timeout":1e999})", "a number in the body is out of range"},
  };
  for (const auto& [body, message] : rows) {
    INFO(body);
    const auto refused = refusal(update(body));
    CHECK(refused.exception == "SerializationException");
    CHECK(refused.status == 400);
    CHECK(refused.message == message);
  }
  CHECK(refusal({"GET", "/2015-03-31/functions?MaxItems=many", ""}).message ==
        "STRING_VALUE can not be converted to an Integer");
}

TEST_CASE("a body that is no JSON is refused with the place", "[service model]") {
  CHECK(refusal(update("{\"Timeout\":3")).exception == "SerializationException");
  CHECK(refusal(update("{\"Description\":\"\xff\"}")).exception == "SerializationException");
  CHECK(refusal(update(std::string(2000, '['))).exception == "SerializationException");
  std::string many = "{\"Layers\":[";
  for (std::size_t i = 0; i < kMaxBodyValues; ++i) many.append("\"a\",");
  many.append("\"a\"]}");
  CHECK(refusal(update(many)).message.find("10000 values") != std::string::npos);
  CHECK(read(update("")).has_value());
  CHECK(read(update(" \r\n")).has_value());
}

TEST_CASE("what the model does not allow is refused in the service's words", "[service model]") {
  const auto message = [](const Document& changes) {
    const auto refused = refusal(create(changes));
    CHECK(refused.exception == "ValidationException");
    CHECK(refused.status == 400);
    return refused.message;
  };
  const std::string one = "1 validation error detected: ";
  CHECK(message({{"MemorySize", 1}}) ==
        one +
            "Value '1' at 'memorySize' failed to satisfy constraint: Member must have value "
            "greater than or equal to 128");
  CHECK(message({{"Runtime", nullptr}, {"Role", nullptr}}) ==
        one + "Value null at 'role' failed to satisfy constraint: Member must not be null");
  CHECK(message({{"Description", std::string(257, 'x')}}) ==
        one + "Value '" + std::string(257, 'x') +
            "' at 'description' failed to satisfy constraint: Member must have length less than "
            "or equal to 256");
  CHECK(message({{"TracingConfig", {{"Mode", "On"}}}}) ==
        one +
            "Value 'On' at 'tracingConfig.mode' failed to satisfy constraint: Member must "
            "satisfy enum value set: [Active, PassThrough]");
  CHECK(message({{"Architectures", {"sparc"}}}) ==
        one +
            "Value '[sparc]' at 'architectures' failed to satisfy constraint: Member must "
            "satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member "
            "must not be null]");
  CHECK(message({{"Architectures", {"x86_64", "arm64"}}}) ==
        one +
            "Value '[x86_64, arm64]' at 'architectures' failed to satisfy constraint: Member "
            "must have length less than or equal to 1");
  CHECK(message({{"Architectures", {nullptr}}}).find("Value '[null]' at 'architectures'") !=
        std::string::npos);
  // Variables are sensitive: the value is not repeated.
  CHECK(message({{"Environment", {{"Variables", {{"1", "secret"}}}}}}) ==
        one +
            "Value at 'environment.variables' failed to satisfy constraint: Map keys must "
            "satisfy constraint: [Member must satisfy regular expression pattern: "
            "[a-zA-Z]([a-zA-Z0-9_])+, Member must not be null]");
}

TEST_CASE("several violations are listed in one message", "[service model]") {
  const auto refused = refusal(create({{"MemorySize", 1}, {"Timeout", 0}}));
  CHECK(refused.message.starts_with("2 validation errors detected: Value '0' at 'timeout' "));
  CHECK(refused.message.find("; Value '1' at 'memorySize' ") != std::string::npos);
}

TEST_CASE("entries that are structures are named by their number", "[service model]") {
  const auto refused = refusal({"POST",
                                "/2015-03-31/event-source-mappings",
                                R"({"FunctionName":"f","SourceAccessConfigurations":)"
                                R"([{"Type":"BASIC_AUTH"},{"Type":"NO"}]})"});
  CHECK(refused.message.starts_with(
      "1 validation error detected: Value 'NO' at 'sourceAccessConfigurations.2.member.type' "));
}

TEST_CASE("a name that the pattern does not allow is shown, and cut when it is long",
          "[service model]") {
  const auto refused = refusal({"GET", "/2015-03-31/functions/bad%20name", ""});
  CHECK(refused.message.starts_with(
      "1 validation error detected: Value 'bad name' at 'functionName' failed to satisfy "
      "constraint: Member must satisfy regular expression pattern: (arn:(aws[a-zA-Z-]*)?:lambda:"));
  const auto long_name = refusal({"GET", "/2015-03-31/functions/" + std::string(5000, 'n'), ""});
  CHECK(long_name.message.size() < 2 * 1024);
  CHECK(long_name.message.find("less than or equal to 256") != std::string::npos);
}

TEST_CASE("bytes of a path that are no encoding and no UTF-8 are part of the value",
          "[service model]") {
  CHECK(refusal({"GET", "/2015-03-31/functions/%zz", ""}).message.find("Value '%zz' at") !=
        std::string::npos);
  CHECK(refusal({"GET", "/2015-03-31/functions/%ff", ""}).message.find("Value '\xef\xbf\xbd' at") !=
        std::string::npos);
  CHECK(refusal({"GET", "/2015-03-31/functions/a%00b", ""}).exception == "ValidationException");
}

TEST_CASE("an answer has the model's status, and a body where the model has one",
          "[service model]") {
  const auto reply = [](const char* name, const Document& output) {
    return reply_of(*find_operation(name), output, "id");
  };
  const auto created = reply("CreateFunction", {{"FunctionName", "f"}});
  CHECK(created.status == 201);
  CHECK(created.body == R"({"FunctionName":"f"})");
  CHECK(created.content_type == "application/json");
  CHECK(created.headers == std::vector<emulator::front_doors::Header>{{"x-amzn-RequestId", "id"}});
  CHECK(reply("TagResource", Document::object()).status == 204);
  CHECK(reply("TagResource", Document::object()).body.empty());
  CHECK(reply("DeleteFunction", Document::object()).status == 204);
  CHECK(reply("DeleteFunctionCodeSigningConfig", Document::object()).body.empty());
  CHECK(reply("GetFunctionConcurrency", Document::object()).body == "{}");
  CHECK(reply("PutFunctionEventInvokeConfig", {{"LastModified", 1768262400.125}}).body ==
        R"({"LastModified":1768262400.125})");
}

TEST_CASE("an enumeration's values are listed in the service's order", "[service model]") {
  CHECK(in_message_order({"TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"}) ==
        std::vector<std::string>{"LATEST", "AT_TIMESTAMP", "TRIM_HORIZON"});
  CHECK(in_message_order({"x86_64", "arm64"}) == std::vector<std::string>{"x86_64", "arm64"});
  CHECK(in_message_order({"INDEXES", "TOTAL", "NONE"}) ==
        std::vector<std::string>{"INDEXES", "TOTAL", "NONE"});
}

TEST_CASE("text is counted in UTF-16 and cut between characters", "[service model]") {
  CHECK(utf16_length("aä€") == 3);
  CHECK(utf16_length("\xf0\x9f\x94\xa5") == 2);
  CHECK(cut_utf8("aä", 2) == "a");
  CHECK(cut_utf8("aä", 3) == "aä");
  CHECK(utf8_text("a\xff") == "a\xef\xbf\xbd");
}
