#include "emulator/front_doors/rie_front_door.h"

#include <catch2/catch_test_macros.hpp>

#include <signal.h>

#include <algorithm>
#include <optional>

using namespace emulator::front_doors;
using namespace emulator::environment;
using emulator::invoke::InvocationRequest;
using emulator::invoke::InvocationResult;
using emulator::invoke::Refusal;

namespace {

const std::string kId = "8476a536-e9f4-11e8-9739-2dfe598c3fcd";

Request to(std::string_view target, std::string_view method = "POST") {
  Request request;
  request.method = method;
  request.target = target;
  return request;
}

std::optional<std::string> sent(const Reply& reply, std::string_view name) {
  const auto found = std::find_if(
      reply.headers.begin(), reply.headers.end(), [&](const auto& h) { return h.name == name; });
  if (found == reply.headers.end()) return std::nullopt;
  return found->value;
}

Reply reply_to(Outcome outcome) { return rie_reply({std::move(outcome), "$LATEST", ""}, kId); }

// A machine below that records what it was asked.
struct RecordingMachine {
  std::vector<InvocationRequest> asked;
  RieFrontDoor door() {
    RieFrontDoor door;
    door.new_request_id = [] { return kId; };
    door.function_name = "renamed";
    door.invoke = [this](InvocationRequest request) {
      auto body = request.payload;
      asked.push_back(std::move(request));
      return InvocationResult{Responded{std::move(body), ""}, "$LATEST", ""};
    };
    return door;
  }
};

}  // namespace

TEST_CASE("only the path with the literal name 'function' invokes, in any spelling", "[rie]") {
  for (const auto* target : {"/2015-03-31/functions/function/invocations",
                             "/2015-03-31/functions/function/invocations?Qualifier=7",
                             "/2015-03-31/functions/functio%6E/invocations",
                             "/%32015-03-31/functions%2Ffunction/invocations"}) {
    INFO(target);
    CHECK(is_rie_invocation(to(target)));
  }
  for (const auto* target : {"/",
                             "/2015-03-31/functions/function/invocations/",
                             "/2015-03-31/functions/other/invocations",
                             "/2015-03-31/functions/FUNCTION/invocations",
                             "//2015-03-31/functions/function/invocations",
                             "/2015-03-31/functions/function/invocations%"}) {
    INFO(target);
    CHECK_FALSE(is_rie_invocation(to(target)));
  }
}

TEST_CASE("every method invokes", "[rie]") {
  for (const auto* method : {"GET", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD", "POST", "TRACE"}) {
    RecordingMachine machine;
    const auto reply = answer_rie(to(kRieInvocationPath, method), machine.door());
    CHECK(reply.status == 200);
    CHECK(machine.asked.size() == 1);
  }
}

TEST_CASE("an unknown path is answered in the words of Go's HTTP server", "[rie]") {
  const auto reply = rie_path_reply(to("/2015-03-31/functions/function/invocations/"));
  CHECK(reply.status == 404);
  CHECK(reply.content_type == "text/plain; charset=utf-8");
  CHECK(sent(reply, "X-Content-Type-Options") == "nosniff");
  CHECK(reply.body == "404 page not found\n");
}

TEST_CASE("a path with empty segments is redirected to its clean spelling", "[rie]") {
  const auto post = rie_path_reply(to("//2015-03-31/functions/function/invocations?a=1"));
  CHECK(post.status == 301);
  CHECK(sent(post, "Location") == "/2015-03-31/functions/function/invocations?a=1");
  CHECK(post.body.empty());
  const auto get = rie_path_reply(to("//x?a=\"1\"&b", "GET"));
  CHECK(get.content_type == "text/html; charset=utf-8");
  CHECK(get.body == "<a href=\"/x?a=&#34;1&#34;&amp;b\">Moved Permanently</a>.\n\n");
  const auto header_break = rie_path_reply(to("//a%0D%0Ab"));
  CHECK(sent(header_break, "Location") == "/a%0D%0Ab");
}

TEST_CASE("the request's headers become the invocation's, and the body its event", "[rie]") {
  RecordingMachine machine;
  auto request = to(kRieInvocationPath);
  request.body = std::string("not json \0", 10);
  request.headers = {{"X-Amz-Client-Context", "eyJhIjoxfQ=="},
                     {"X-Amzn-Trace-Id", "Root=1-5"},
                     {"X-Amz-Tenant-Id", "blue"},
                     {"X-Amz-Invocation-Type", "DryRun"},
                     {"X-Amz-Log-Type", "Tail"},
                     {"X-Amzn-RequestId", "ignored"}};
  const auto reply = answer_rie(std::move(request), machine.door());
  CHECK(reply.status == 200);
  REQUIRE(machine.asked.size() == 1);
  const auto& asked = machine.asked.front();
  CHECK(asked.function_name == "renamed");
  CHECK(asked.request_id == kId);
  CHECK(asked.payload == std::string("not json \0", 10));
  CHECK(asked.client_context == "{\"a\":1}");
  CHECK(asked.trace_id == "Root=1-5");
  CHECK(asked.tenant_id == "blue");
  CHECK_FALSE(asked.qualifier);
  CHECK(asked.release_at == emulator::invoke::ReleaseAt::response);
}

TEST_CASE("absent and empty headers become nothing", "[rie]") {
  RecordingMachine machine;
  auto request = to(kRieInvocationPath);
  request.headers = {{"X-Amz-Client-Context", ""}, {"X-Amz-Tenant-Id", ""}};
  answer_rie(std::move(request), machine.door());
  REQUIRE(machine.asked.size() == 1);
  CHECK_FALSE(machine.asked.front().client_context);
  CHECK_FALSE(machine.asked.front().trace_id);
  CHECK_FALSE(machine.asked.front().tenant_id);
}

TEST_CASE("a client context that is not base64 is answered 500 without a body", "[rie]") {
  RecordingMachine machine;
  auto request = to(kRieInvocationPath);
  request.headers = {{"X-Amz-Client-Context", "{}"}};
  const auto reply = answer_rie(std::move(request), machine.door());
  CHECK(reply.status == 500);
  CHECK(reply.body.empty());
  CHECK(machine.asked.empty());
}

TEST_CASE("each outcome has RIE's status and body", "[rie]") {
  struct Row {
    const char* what;
    Outcome outcome;
    int status;
    std::string body;
  };
  const auto exit_body = [](const std::string& text) {
    return R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: )" + kId +
           " Error: " + text + R"("})";
  };
  const Row rows[] = {
      {"error", FunctionError{"Function.X", "{\"a\":1}"}, 200, "{\"a\":1}"},
      {"timeout", TimedOut{std::chrono::seconds(3)}, 200, "Task timed out after 3.00 seconds"},
      {"exit code",
       RuntimeExited{7, {}, FailurePhase::invoke},
       502,
       exit_body("Runtime exited with error: exit status 7")},
      {"exit 0",
       RuntimeExited{0, {}, FailurePhase::invoke},
       502,
       exit_body("Runtime exited without providing a reason")},
      {"signal",
       RuntimeExited{{}, SIGKILL, FailurePhase::invoke},
       502,
       exit_body("Runtime exited with error: signal: killed")},
      {"exit in init", RuntimeExited{1, {}, FailurePhase::init}, 502, ""},
      {"init error", FunctionError{"Runtime.X", "boom", FailurePhase::init}, 502, "boom"},
      {"never started", NeverStarted{"Runtime.InvalidEntrypoint", "no file"}, 502, ""},
      {"too large",
       ResponseTooLarge{7'000'000},
       200,
       R"({"errorType":"Function.ResponseSizeTooLarge","errorMessage":"Response payload size )"
       R"((7000000 bytes) exceeded maximum allowed payload size (6291556 bytes)."})"},
  };
  for (const auto& row : rows) {
    INFO(row.what);
    const auto reply = reply_to(row.outcome);
    CHECK(reply.status == row.status);
    CHECK(reply.body == row.body);
    CHECK(sent(reply, "X-Amz-Function-Error") == "Unhandled");
    CHECK(reply.content_type == (row.body.empty() ? "" : "text/plain; charset=utf-8"));
  }
}

TEST_CASE("a response is passed on untouched, labelled by its bytes, with no header of Lambda's",
          "[rie]") {
  const auto json = reply_to(Responded{"{ \"a\": 1 }", "application/json"});
  CHECK(json.status == 200);
  CHECK(json.body == "{ \"a\": 1 }");
  CHECK(json.content_type == "text/plain; charset=utf-8");
  CHECK(json.headers.empty());
  CHECK(reply_to(Responded{"\x89PNG\r\n\x1A\n", "application/json"}).content_type == "image/png");
  CHECK(reply_to(Responded{"", "application/json"}).content_type.empty());
}

TEST_CASE("an invocation that was not run is refused with a sentence", "[rie]") {
  const auto busy = rie_refusal_reply({Refusal::Kind::concurrency_exceeded, "all are busy"});
  CHECK(busy.status == 429);
  CHECK(busy.body == "all are busy\n");
  CHECK(rie_refusal_reply({Refusal::Kind::shutting_down, "stopping"}).status == 503);
  CHECK(rie_refusal_reply({Refusal::Kind::function_not_found, "none"}).status == 404);
}
