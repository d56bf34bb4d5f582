#include "runtime_api/extension_routes.h"

#include "tests/support/extension_hub_world.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <string>
#include <thread>
#include <utility>
#include <variant>
#include <vector>

using namespace runtime_api;
using tests::ExtensionHubWorld;

namespace {

const std::function<bool()> kListening = [] { return true; };
const std::string kUnknown = "11111111-2222-4333-8444-555555555555";

ExtensionRequest posted(std::string body) {
  ExtensionRequest request;
  request.read_body = [body = std::move(body)](std::uint64_t max_bytes) {
    PostedRequest::Body read;
    read.bytes = body.substr(0, max_bytes);
    read.size_bytes = body.size();
    return read;
  };
  return request;
}

RuntimeReply registered(ExtensionHub& hub,
                        const std::string& name,
                        const std::string& body = R"({"events":["INVOKE"]})",
                        const std::string& features = {}) {
  auto request = posted(body);
  request.name = name;
  request.accepted_features = features;
  return answer_register(hub, request);
}

ExtensionRequest from(const std::string& identifier, const std::string& error_type = {}) {
  auto request = posted("whatever");
  request.identifier = identifier;
  request.error_type = error_type;
  return request;
}

std::string error(const std::string& type, const std::string& message) {
  return "{\"errorMessage\":\"" + message + "\",\"errorType\":\"" + type + "\"}\n";
}

void check_refused(const RuntimeReply& reply, const std::string& type, const std::string& message) {
  CHECK(reply.status == 403);
  CHECK(reply.content_type == "application/json");
  CHECK(reply.body == error(type, message));
}

std::string identifier_in(const RuntimeReply& reply) {
  for (const auto& [name, value] : reply.headers) {
    if (name == "Lambda-Extension-Identifier") return value;
  }
  return {};
}

constexpr ExtensionErrorCall kInit{ExtensionErrorPhase::init};
constexpr ExtensionErrorCall kExit{ExtensionErrorPhase::exit};

}  // namespace

TEST_CASE("the paths of the Extensions API are known by method, and no others are") {
  const auto call = [](std::string_view method, std::string_view rest) {
    return parse_extension_call(method, "/2020-01-01/extension/" + std::string(rest));
  };
  CHECK(std::holds_alternative<RegisterCall>(call("POST", "register").value()));
  CHECK(std::holds_alternative<NextEventCall>(call("GET", "event/next").value()));
  CHECK(std::get<ExtensionErrorCall>(call("POST", "init/error").value()).phase ==
        ExtensionErrorPhase::init);
  CHECK(std::get<ExtensionErrorCall>(call("POST", "exit/error").value()).phase ==
        ExtensionErrorPhase::exit);
  CHECK(std::get<WrongMethod>(call("GET", "register").value()).allowed == "POST");
  CHECK(std::get<WrongMethod>(call("POST", "event/next").value()).allowed == "GET");
  for (const auto* rest : {"", "registers", "register/", "event", "event/next/", "next/error"}) {
    CHECK_FALSE(call("POST", rest));
  }
  CHECK_FALSE(parse_extension_call("POST", "/2018-06-01/extension/register"));
}

TEST_CASE("a registration is answered with the function's identity and an identifier") {
  ExtensionHubWorld world({"a"});
  const auto reply = registered(world.hub, "a", R"({"events":["INVOKE","SHUTDOWN"]})");
  CHECK(reply.status == 200);
  CHECK(reply.body ==
        "{\"functionName\":\"f\",\"functionVersion\":\"$LATEST\",\"handler\":\"app.handler\"}\n");
  CHECK(identifier_in(reply) == tests::numbered_uuid(1));
  CHECK(world.hub.extensions().at(0).events == EventSubscription{.invoke = true, .shutdown = true});
}

TEST_CASE("the account id is told to who accepts that feature, and other features are ignored") {
  ExtensionHubWorld world;
  CHECK(registered(world.hub, "a", "{}", "accountId")
            .body.ends_with(",\"accountId\":\"123456789012\"}\n"));
  CHECK(registered(world.hub, "b", "{}", "other , accountId").body.find("accountId") !=
        std::string::npos);
  CHECK(registered(world.hub, "c", "{}", "accountIds,other").body.find("accountId") ==
        std::string::npos);
}

TEST_CASE("a registration may name no events at all") {
  for (const auto* body : {"{}",
                           R"({"events":[]})",
                           R"({"events":null})",
                           "null",
                           R"({"events":[],"configurationKeys":[]})"}) {
    ExtensionHubWorld world;
    INFO(body);
    CHECK(registered(world.hub, "inner", body).status == 200);
  }
}

TEST_CASE("a bad registration is refused for the first of its faults") {
  ExtensionHubWorld world({"a"});
  const auto& name_type = "Extension.InvalidExtensionName";
  check_refused(registered(world.hub, "", "nonsense"), name_type, "Empty extension name");
  check_refused(registered(world.hub, std::string(256, 'x')),
                name_type,
                "Extension name longer than 255 bytes");
  check_refused(
      registered(world.hub, "a", ""), "InvalidRequestFormat", "unexpected end of JSON input");
  for (const auto* body : {"{", "[]", "7", R"({"events":"INVOKE"})", R"({"events":[1]})"}) {
    INFO(body);
    const auto reply = registered(world.hub, "a", body);
    CHECK(reply.status == 403);
    CHECK(reply.body.find("\"InvalidRequestFormat\"") != std::string::npos);
  }
  CHECK(registered(world.hub, "a", std::string(kMaxRegistrationBytes + 1, ' '))
            .body.find("\"InvalidRequestFormat\"") != std::string::npos);
  check_refused(registered(world.hub, "a", R"({"events":["FOO"],"configurationKeys":["K"]})"),
                "InvalidRequestFormat",
                "configurationKeys are deprecated; use environment variables instead");
  check_refused(registered(world.hub, "a", R"({"events":["INVOKE","FOO"]})"),
                "Extension.InvalidEventType",
                "FOO: ErrorInvalidEventType");
  check_refused(registered(world.hub, "inner", R"({"events":["SHUTDOWN"]})"),
                "Extension.InvalidEventType",
                "SHUTDOWN: ShutdownEventNotSupportedForInternalExtension");
  CHECK(world.hub.census().external == 0);
}

TEST_CASE("an extension cannot be told of invocations where that is not offered") {
  ExtensionHub hub({.function = {},
                    .launched = {"a"},
                    .new_identifier = [] { return kUnknown; },
                    .offers_invoke = false},
                   {.settled = [](std::string_view) {},
                    .reported = [](const std::string&, ExtensionErrorPhase) {}});
  check_refused(registered(hub, "a", R"({"events":["SHUTDOWN","INVOKE"]})"),
                "Extension.InvalidEventType",
                "INVOKE: ErrorInvalidEventType");
  CHECK(registered(hub, "a", R"({"events":["SHUTDOWN"]})").status == 200);
}

TEST_CASE("a registration that comes twice, late, or as the eleventh is refused") {
  ExtensionHubWorld world({"a"});
  REQUIRE(registered(world.hub, "a").status == 200);
  check_refused(registered(world.hub, "a"),
                "Extension.InvalidExtensionState",
                "State transition from Registered to Registered failed for extension a. Error: "
                "State transition is not allowed");
  for (int i = 0; i < 9; ++i) {
    REQUIRE(registered(world.hub, "inner" + std::to_string(i)).status == 200);
  }
  check_refused(registered(world.hub, "inner0"),
                "Extension.InvalidExtensionState",
                "Extension with this name already registered");
  check_refused(registered(world.hub, "inner9"),
                "Extension.TooManyExtensions",
                "Extension limit (10) reached");
  world.hub.close_registration();
  check_refused(registered(world.hub, "inner9"),
                "Extension.RegistrationClosed",
                "Extension registration closed already");
}

TEST_CASE("a call without a known identifier is refused by what is wrong with it") {
  ExtensionHubWorld world;
  const auto& missing = "Extension.MissingExtensionIdentifier";
  const auto& invalid = "Extension.InvalidExtensionIdentifier";
  const auto& unknown = "Extension.UnknownExtensionIdentifier";
  auto nameless = posted("");
  check_refused(answer_next_event(world.hub, nameless, kListening),
                missing,
                "Missing Lambda-Extension-Identifier header");
  check_refused(answer_extension_error(world.hub, kInit, nameless),
                missing,
                "Missing Lambda-Extension-Identifier header");
  check_refused(answer_next_event(world.hub, from("a-b-c"), kListening),
                invalid,
                "Invalid Lambda-Extension-Identifier");
  check_refused(answer_extension_error(world.hub, kExit, from("a-b-c", "Extension.E")),
                invalid,
                "Invalid Lambda-Extension-Identifier");
  check_refused(answer_next_event(world.hub, from(kUnknown), kListening),
                unknown,
                "Unknown extension " + kUnknown);
  check_refused(answer_extension_error(world.hub, kInit, from(kUnknown)),
                "Extension.MissingHeader",
                "Lambda-Extension-Function-Error-Type not found");
  check_refused(answer_extension_error(world.hub, kInit, from(kUnknown, "Extension.E")),
                unknown,
                "Unknown Lambda-Extension-Identifier");
}

TEST_CASE("a foreign error type of an extension is told as the phase's") {
  const auto told = [](const ExtensionErrorCall& call, const std::string& type) {
    ExtensionHubWorld world;
    const auto id = identifier_in(registered(world.hub, "inner"));
    CHECK(answer_extension_error(world.hub, call, from(id, type)).status == 202);
    return world.hub.extensions().at(0).error_type;
  };
  CHECK(told(kInit, "Extension.NoKey") == "Extension.NoKey");
  CHECK(told(kInit, "NoKey") == "Extension.InitError");
  CHECK(told(kExit, "Runtime.NoKey") == "Extension.ExitError");
}

TEST_CASE("a call that the extension's state does not allow is refused with both states") {
  ExtensionHubWorld world;
  const auto id = identifier_in(registered(world.hub, "inner"));
  CHECK(answer_extension_error(world.hub, kInit, from(id, "Extension.E")).status == 202);
  CHECK(answer_extension_error(world.hub, kInit, from(id, "Extension.E")).body ==
        "{\"status\":\"OK\"}\n");
  check_refused(answer_next_event(world.hub, from(id), kListening),
                "Extension.InvalidExtensionState",
                "State transition from InitError to Ready failed for extension " + id +
                    ". Error: State transition is not allowed");
  check_refused(answer_extension_error(world.hub, kExit, from(id, "Extension.E")),
                "Extension.InvalidExtensionState",
                "State transition from InitError to ExitError failed for extension " + id +
                    ". Error: State transition is not allowed");
}

TEST_CASE("an event is given with its identifier, by an identifier in any case") {
  ExtensionHubWorld world({"a"});
  auto id = identifier_in(registered(world.hub, "a"));
  auto shouted = std::async(std::launch::async, [&] {
    auto upper = id;
    for (auto& c : upper) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    return answer_next_event(world.hub, from(upper), kListening);
  });
  while (world.hub.waiting_takers() == 0) std::this_thread::yield();
  world.hub.expect();
  world.hub.give(InvokeEvent{.deadline_ms = 676051,
                             .request_id = "3da1f2dc",
                             .function_arn = "arn:aws:lambda:us-east-1:123456789012:function:f",
                             .trace_id = "Root=1-2-3;Parent=4;Sampled=1"});
  const auto reply = shouted.get();
  CHECK(reply.status == 200);
  CHECK(reply.content_type == "application/json");
  CHECK(reply.headers.at(0) == std::pair<std::string, std::string>(
                                   "Lambda-Extension-Event-Identifier", tests::numbered_uuid(2)));
  CHECK(reply.body ==
        "{\"eventType\":\"INVOKE\",\"deadlineMs\":676051,\"requestId\":\"3da1f2dc\","
        "\"invokedFunctionArn\":\"arn:aws:lambda:us-east-1:123456789012:function:f\","
        "\"tracing\":{\"type\":\"X-Amzn-Trace-Id\",\"value\":\"Root=1-2-3;Parent=4;Sampled=1\"}}");
}

TEST_CASE("an event names no trace where the invocation has none") {
  const auto text = text_of(
      InvokeEvent{.deadline_ms = 1, .request_id = "id", .function_arn = "arn", .trace_id = {}});
  CHECK(text ==
        "{\"eventType\":\"INVOKE\",\"deadlineMs\":1,\"requestId\":\"id\","
        "\"invokedFunctionArn\":\"arn\"}");
}

TEST_CASE("when the environment is over an extension is told that it cannot be helped") {
  ExtensionHubWorld world({"a"});
  const auto id = identifier_in(registered(world.hub, "a"));
  world.hub.end();
  CHECK(answer_next_event(world.hub, from(id), kListening).status == 500);
}
