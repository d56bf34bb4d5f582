#include "emulator/control_plane/invoke_api.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>
#include <optional>

using namespace emulator::control_plane;
using namespace emulator::environment;
using emulator::front_doors::Reply;
using emulator::front_doors::Request;
using emulator::invoke::InvocationRequest;
using emulator::invoke::InvocationResult;
using emulator::invoke::Refusal;
using emulator::invoke::ReleaseAt;

namespace {

const std::string kId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

using Headers = std::vector<std::pair<std::string_view, std::string_view>>;

Request to(std::string_view target, Headers headers = {}, std::string body = "{}") {
  Request request;
  request.method = "POST";
  request.target = target;
  request.headers = std::move(headers);
  request.body = std::move(body);
  return request;
}

constexpr std::string_view kInvokeF = "/2015-03-31/functions/f/invocations";

tl::expected<InvokeCall, ServiceError> parsed(Request request) {
  const auto route = match_invoke_route(request);
  REQUIRE(route);
  return parse_invoke(std::move(request), *route, kId);
}

ServiceError refused(Request request) {
  auto call = parsed(std::move(request));
  REQUIRE_FALSE(call);
  return call.error();
}

std::optional<std::string> sent(const Reply& reply, std::string_view name) {
  const auto found = std::find_if(
      reply.headers.begin(), reply.headers.end(), [&](const auto& h) { return h.name == name; });
  if (found == reply.headers.end()) return std::nullopt;
  return found->value;
}

// A machine below that records what it was asked and answers as told.
struct ScriptedMachine {
  std::optional<Refusal> refusal;
  InvocationResult result{Responded{"\"ok\"", ""}, "7", "the tail"};
  std::vector<InvocationRequest> invoked;
  std::vector<InvocationRequest> accepted;
  int resolved = 0;

  InvokeApi api() {
    InvokeApi api;
    api.new_request_id = [] { return kId; };
    api.invoke = [this](InvocationRequest request) -> tl::expected<InvocationResult, Refusal> {
      invoked.push_back(std::move(request));
      if (refusal) return tl::unexpected(*refusal);
      return result;
    };
    api.resolve = [this](const auto&) -> tl::expected<void, Refusal> {
      ++resolved;
      if (refusal) return tl::unexpected(*refusal);
      return {};
    };
    api.invoke_async = [this](InvocationRequest request) -> tl::expected<std::string, Refusal> {
      accepted.push_back(std::move(request));
      if (refusal) return tl::unexpected(*refusal);
      return result.trace_header;
    };
    return api;
  }

  Reply answer(Request request) {
    const auto route = match_invoke_route(request);
    REQUIRE(route);
    return answer_invoke(std::move(request), *route, api());
  }
};

}  // namespace

TEST_CASE("the three Invoke paths are known, and only with POST", "[control_plane]") {
  const auto route = match_invoke_route(to("/2015-03-31/functions/a%3Ab/invocations?Qualifier=1"));
  REQUIRE(route);
  CHECK(route->operation == InvokeOperation::invoke);
  CHECK(route->encoded_name == "a%3Ab");
  CHECK(route->query == "Qualifier=1");
  CHECK(match_invoke_route(to("/2014-11-13/functions/f/invoke-async/"))->operation ==
        InvokeOperation::invoke_async);
  CHECK(match_invoke_route(to("/2014-11-13/functions/f/invoke-async"))->encoded_name == "f");
  CHECK(
      match_invoke_route(to("/2021-11-15/functions/f/response-streaming-invocations"))->operation ==
      InvokeOperation::response_stream);
  for (const auto* other : {"/",
                            "/2015-03-31/functions/",
                            "/2015-03-31/functions//invocations",
                            "/2015-03-31/functions/f",
                            "/2015-03-31/functions/f/g/invocations",
                            "/2015-03-31/functions/f/invocations/",
                            "/2015-03-31/functions/f/policy",
                            "/2015-03-31/functions/invocations"}) {
    INFO(other);
    CHECK_FALSE(match_invoke_route(to(other)));
  }
  auto get = to(kInvokeF);
  get.method = "GET";
  CHECK_FALSE(match_invoke_route(get));
}

TEST_CASE("a request says its function, qualifier, context and payload", "[control_plane]") {
  const auto call =
      parsed(to("/2015-03-31/functions/"
                "arn%3Aaws%3Alambda%3Aeu-west-1%3A123456789012%3Afunction%3Af/"
                "invocations?Qualifier=%24LATEST",
                {{"X-Amz-Client-Context", "eyJhIjoxfQ=="},
                 {"X-Amzn-Trace-Id", "Root=1-2"},
                 {"X-Amz-Tenant-Id", "team/blue"}},
                " { \"a\" : 1 } "));
  REQUIRE(call);
  CHECK(call->type == InvocationType::request_response);
  CHECK(call->request.function_name == "f");
  CHECK(call->request.qualifier == "$LATEST");
  CHECK(call->request.request_id == kId);
  CHECK(call->request.client_context == "{\"a\":1}");
  CHECK(call->request.trace_id == "Root=1-2");
  CHECK(call->request.tenant_id == "team/blue");
  CHECK(call->request.payload == " { \"a\" : 1 } ");
  CHECK(call->request.release_at == ReleaseAt::response);
}

TEST_CASE("a qualifier may stand in the name, in the query, or in both alike", "[control_plane]") {
  CHECK(parsed(to("/2015-03-31/functions/f:live/invocations"))->request.qualifier == "live");
  CHECK(parsed(to("/2015-03-31/functions/f/invocations?Qualifier=3"))->request.qualifier == "3");
  CHECK(parsed(to("/2015-03-31/functions/f:3/invocations?Qualifier=3")));
  CHECK_FALSE(parsed(to("/2015-03-31/functions/f/invocations"))->request.qualifier);
  const auto error = refused(to("/2015-03-31/functions/f:3/invocations?Qualifier=4"));
  CHECK(error.exception == "InvalidParameterValueException");
  CHECK(error.message ==
        "The derived qualifier from the function name does not match the specified qualifier.");
}

TEST_CASE("a name or qualifier with other characters fails validation", "[control_plane]") {
  const auto name = refused(to("/2015-03-31/functions/a%20b/invocations"));
  CHECK(name.exception == "ValidationException");
  CHECK(name.message.starts_with(
      "1 validation error detected: Value 'a b' at 'functionName' failed to satisfy constraint: "
      "Member must satisfy regular expression pattern: (arn:"));
  CHECK(refused(to("/2015-03-31/functions/%zz/invocations")).exception == "ValidationException");
  const auto qualifier = refused(to("/2015-03-31/functions/f/invocations?Qualifier=a%20b"));
  CHECK(qualifier.message.find("Value 'a b' at 'qualifier'") != std::string::npos);
}

TEST_CASE("an unknown invocation or log type fails validation", "[control_plane]") {
  CHECK(refused(to(kInvokeF, {{"X-Amz-Invocation-Type", "Sometime"}}))
            .message.find("'invocationType'") != std::string::npos);
  CHECK(refused(to(kInvokeF, {{"X-Amz-Log-Type", "Head"}})).message.find("'logType'") !=
        std::string::npos);
}

TEST_CASE("a payload that is not JSON is refused in the service's words", "[control_plane]") {
  const auto error = refused(to(kInvokeF, {}, "test data"));
  CHECK(error.exception == "InvalidRequestContentException");
  CHECK(error.type == "User");
  CHECK(error.message ==
        "Could not parse request body into json: Could not parse payload into json: unexpected "
        "character 'e' (code 101) at line: 1, column: 2");
}

TEST_CASE("an absent payload is an empty object", "[control_plane]") {
  CHECK(parsed(to(kInvokeF, {}, ""))->request.payload == "{}");
}

TEST_CASE("the client context is base64 of JSON, within its limit", "[control_plane]") {
  for (const std::string& context :
       {std::string("{}"), std::string("Zm9v"), std::string(kMaxClientContextBytes + 1, 'A')}) {
    const auto error = refused(to(kInvokeF, {{"X-Amz-Client-Context", context}}));
    CHECK(error.exception == "InvalidRequestContentException");
    CHECK(error.message.starts_with("Client context must be"));
  }
  // 3,583 is not a multiple of four: 3,580 is the longest whole base64 text within it.
  std::string longest = "ICAg";
  while (longest.size() < 3576) longest += "ICAg";
  longest += "IDEx";
  CHECK(parsed(to(kInvokeF, {{"X-Amz-Client-Context", longest}})));
}

TEST_CASE("a tenant id has 1 to 256 of its characters", "[control_plane]") {
  CHECK(parsed(to(kInvokeF, {{"X-Amz-Tenant-Id", std::string(256, 't')}})));
  for (const std::string& tenant : {std::string(), std::string(257, 't'), std::string("a#b")}) {
    CHECK(refused(to(kInvokeF, {{"X-Amz-Tenant-Id", tenant}})).exception == "ValidationException");
  }
}

TEST_CASE("the caller's request id is taken when it is a UUID and refused otherwise",
          "[control_plane]") {
  const std::string own = "11111111-2222-3333-4444-555555555555";
  CHECK(parsed(to(kInvokeF, {{"X-Amzn-RequestId", own}}))->request.request_id == own);
  for (const auto* bad :
       {"", "x", "11111111-2222-3333-4444-55555555555g", "11111111x2222-3333-4444-555555555555"}) {
    CHECK(refused(to(kInvokeF, {{"X-Amzn-RequestId", bad}})).exception ==
          "InvalidRequestContentException");
  }
}

TEST_CASE("a call may have 6,291,456 bytes and an event 1,048,576", "[control_plane]") {
  const auto json = [](std::size_t size) { return "\"" + std::string(size - 2, 'x') + "\""; };
  CHECK(parsed(to(kInvokeF, {}, json(kMaxSyncRequestBytes))));
  const auto call = refused(to(kInvokeF, {}, json(kMaxSyncRequestBytes + 1)));
  CHECK(call.status == 413);
  CHECK(call.message ==
        "Request must be smaller than 6291456 bytes for the InvokeFunction operation");
  const Headers event = {{"X-Amz-Invocation-Type", "Event"}};
  CHECK(parsed(to(kInvokeF, event, json(kMaxAsyncRequestBytes))));
  CHECK(refused(to(kInvokeF, event, json(kMaxAsyncRequestBytes + 1))).exception ==
        "RequestTooLargeException");
}

TEST_CASE("a synchronous invocation answers 200 with the response and the executed version",
          "[control_plane]") {
  ScriptedMachine machine;
  machine.result.trace_header = "Root=1-2";
  const auto reply = machine.answer(to(kInvokeF, {{"X-Amzn-Trace-Id", "Root=1-1"}}));
  CHECK(reply.status == 200);
  CHECK(reply.body == "\"ok\"");
  CHECK(reply.content_type == "application/json");
  CHECK(sent(reply, "x-amzn-RequestId") == kId);
  CHECK(sent(reply, "X-Amz-Executed-Version") == "7");
  CHECK(sent(reply, "X-Amzn-Trace-Id") == "Root=1-2");
  CHECK_FALSE(sent(reply, "X-Amz-Function-Error"));
  CHECK_FALSE(sent(reply, "X-Amz-Log-Result"));
  REQUIRE(machine.invoked.size() == 1);
  CHECK(machine.accepted.empty());
}

TEST_CASE("every failure of the function answers 200 with its document, marked Unhandled",
          "[control_plane]") {
  struct Row {
    const char* what;
    Outcome outcome;
    std::string body;
  };
  const auto with_id = [](const std::string& type, const std::string& text) {
    return R"({"errorType":")" + type + R"(","errorMessage":"RequestId: )" + kId +
           " Error: " + text + R"("})";
  };
  const Row rows[] = {
      {"error", FunctionError{"Function.X", "{\"errorType\":\"X\"}"}, "{\"errorType\":\"X\"}"},
      {"init error",
       FunctionError{"Runtime.X", "{\"requestId\":\"\"}", FailurePhase::init},
       "{\"requestId\":\"\"}"},
      {"timeout",
       TimedOut{std::chrono::seconds(1)},
       with_id("Sandbox.Timedout", "Task timed out after 1.00 seconds")},
      {"exit 0 in handler",
       RuntimeExited{0, {}, FailurePhase::invoke},
       with_id("Runtime.ExitError", "Runtime exited without providing a reason")},
      {"exit 127 in init",
       RuntimeExited{127, {}, FailurePhase::init},
       with_id("Runtime.ExitError", "Runtime exited with error: exit status 127")},
      {"response too large",
       ResponseTooLarge{6'291'557},
       R"({"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 )"
       R"(bytes).","errorType":"Function.ResponseSizeTooLarge"})"},
      {"never started",
       NeverStarted{"Runtime.InvalidEntrypoint", "no bootstrap"},
       with_id("Runtime.InvalidEntrypoint", "no bootstrap")},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    ScriptedMachine machine;
    machine.result = {row.outcome, "$LATEST", ""};
    const auto reply = machine.answer(to(kInvokeF));
    CHECK(reply.status == 200);
    CHECK(sent(reply, "X-Amz-Function-Error") == "Unhandled");
    CHECK(sent(reply, "X-Amz-Executed-Version") == "$LATEST");
    CHECK(reply.body == row.body);
  }
}

TEST_CASE("a tail log waits for the report and comes back in base64", "[control_plane]") {
  ScriptedMachine machine;
  const auto reply = machine.answer(to(kInvokeF, {{"X-Amz-Log-Type", "Tail"}}));
  REQUIRE(machine.invoked.size() == 1);
  CHECK(machine.invoked.front().release_at == ReleaseAt::report);
  CHECK(sent(reply, "X-Amz-Log-Result") == "dGhlIHRhaWw=");
}

TEST_CASE("a dry run resolves the function and runs nothing", "[control_plane]") {
  ScriptedMachine machine;
  const auto reply = machine.answer(to(kInvokeF, {{"X-Amz-Invocation-Type", "DryRun"}}));
  CHECK(reply.status == 204);
  CHECK(reply.body.empty());
  CHECK(machine.resolved == 1);
  CHECK(machine.invoked.empty());
  CHECK(machine.accepted.empty());
}

TEST_CASE("an event is accepted with 202, without a version or the client context",
          "[control_plane]") {
  ScriptedMachine machine;
  const auto reply = machine.answer(to(kInvokeF,
                                       {{"X-Amz-Invocation-Type", "Event"},
                                        {"X-Amz-Log-Type", "Tail"},
                                        {"X-Amz-Client-Context", "e30="}}));
  CHECK(reply.status == 202);
  CHECK(reply.body.empty());
  CHECK_FALSE(sent(reply, "X-Amz-Executed-Version"));
  REQUIRE(machine.accepted.size() == 1);
  CHECK_FALSE(machine.accepted.front().client_context);
  CHECK(machine.accepted.front().release_at == ReleaseAt::response);
  CHECK(machine.invoked.empty());
}

TEST_CASE("the old asynchronous operation accepts an event", "[control_plane]") {
  ScriptedMachine machine;
  CHECK(machine.answer(to("/2014-11-13/functions/f/invoke-async/")).status == 202);
  CHECK(machine.accepted.size() == 1);
}

TEST_CASE("a response stream is no event, and may be tried dry", "[control_plane][stream]") {
  constexpr std::string_view kStream = "/2021-11-15/functions/f/response-streaming-invocations";
  ScriptedMachine machine;
  const auto event = machine.answer(to(kStream, {{"X-Amz-Invocation-Type", "Event"}}));
  CHECK(event.status == 400);
  CHECK(sent(event, "x-amzn-ErrorType") == "ValidationException");
  CHECK(machine.answer(to(kStream, {{"X-Amz-Invocation-Type", "DryRun"}})).status == 204);
  CHECK(machine.accepted.empty());
  CHECK(machine.invoked.empty());
  CHECK(max_request_bytes(to(kStream, {{"X-Amz-Invocation-Type", "Event"}}),
                          *match_invoke_route(to(kStream))) == kMaxSyncRequestBytes);
}

TEST_CASE("what is refused before a response stream begins is an ordinary error",
          "[control_plane][stream]") {
  ScriptedMachine machine;
  machine.refusal = Refusal{Refusal::Kind::concurrency_exceeded, "busy"};
  const auto reply = machine.answer(to("/2021-11-15/functions/f/response-streaming-invocations"));
  CHECK(reply.status == 429);
  CHECK_FALSE(reply.stream);
  CHECK(sent(reply, "x-amzn-ErrorType") == "TooManyRequestsException");
}

TEST_CASE("an unknown function is named by its qualified ARN, whatever the type",
          "[control_plane]") {
  for (const auto* type : {"RequestResponse", "Event", "DryRun"}) {
    ScriptedMachine machine;
    machine.refusal = Refusal{Refusal::Kind::function_not_found, ""};
    const auto reply = machine.answer(to(kInvokeF, {{"X-Amz-Invocation-Type", type}}));
    CHECK(reply.status == 404);
    CHECK(sent(reply, "x-amzn-ErrorType") == "ResourceNotFoundException");
    CHECK(reply.body == R"({"Type":"User","Message":"Function not found: )"
                        R"(arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST"})");
  }
}

TEST_CASE("too many invocations at once are throttled", "[control_plane]") {
  ScriptedMachine machine;
  machine.refusal = Refusal{Refusal::Kind::concurrency_exceeded, ""};
  const auto reply = machine.answer(to(kInvokeF));
  CHECK(reply.status == 429);
  CHECK(sent(reply, "Retry-After") == "1");
}

TEST_CASE("an ARN of another region or account is not invoked here", "[control_plane]") {
  ScriptedMachine machine;
  const auto named = [&](const std::string& name) {
    return machine.answer(to("/2015-03-31/functions/" + name + "/invocations"));
  };
  CHECK(named("arn:aws:lambda:us-east-1:123456789012:function:f").status == 200);
  const auto region = named("arn:aws:lambda:eu-west-1:123456789012:function:f");
  CHECK(region.status == 404);
  CHECK(region.body.find("Functions from 'eu-west-1' are not reachable in this region "
                         "('us-east-1')") != std::string::npos);
  CHECK(named("999999999999:function:f").status == 403);
  CHECK(machine.invoked.size() == 1);
}

TEST_CASE("the qualifier of managed instances is read as one that no function has",
          "[control_plane]") {
  const auto call = parsed(to(std::string(kInvokeF) + "?Qualifier=$LATEST.PUBLISHED"));
  REQUIRE(call);
  CHECK(call->request.qualifier == "$LATEST.PUBLISHED");
}

TEST_CASE("a tenant that is missing or not wanted is an InvalidParameterValueException",
          "[control_plane]") {
  for (const auto kind : {Refusal::Kind::tenant_missing, Refusal::Kind::tenant_unexpected}) {
    for (const auto* type : {"RequestResponse", "Event", "DryRun"}) {
      ScriptedMachine machine;
      machine.refusal = Refusal{.kind = kind, .message = "why"};
      const auto reply = machine.answer(to(kInvokeF, {{"X-Amz-Invocation-Type", type}}));
      CHECK(reply.status == 400);
      CHECK(sent(reply, "x-amzn-ErrorType") == "InvalidParameterValueException");
      CHECK(reply.body.find("why") != std::string::npos);
    }
  }
}

TEST_CASE("an accepted event is answered with the trace that its attempts continue",
          "[control_plane]") {
  ScriptedMachine machine;
  machine.result.trace_header = "Root=1-2;Sampled=1";
  const auto reply = machine.answer(to(kInvokeF, {{"X-Amz-Invocation-Type", "Event"}}));
  CHECK(reply.status == 202);
  CHECK(sent(reply, "X-Amzn-Trace-Id") == "Root=1-2;Sampled=1");
}
