#include "handlers/runtime_client/runtime_client.h"

#include "tests/protocol/scripted_runtime_api.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <stdexcept>

using protocol_test::ScriptedRuntimeApi;
using runtime_client::Invocation;
using runtime_client::Result;

namespace {

int run(ScriptedRuntimeApi& api, const runtime_client::Handler& handler) {
  return api.serve([&](const auto& address) { return runtime_client::run(address, handler); });
}

Result echo(const Invocation& invocation) {
  return Result::response(std::string(invocation.payload));
}

std::string trace_variable() {
  const char* value = std::getenv("_X_AMZN_TRACE_ID");
  return value != nullptr ? value : "unset";
}

}  // namespace

TEST_CASE("each event reaches the handler and its response goes back under its id",
          "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.events = {"{\"n\":1}", "", "not JSON \xff"};
  CHECK(run(api, echo) != 0);
  REQUIRE(api.posts.size() == 3);
  CHECK(api.posts[0].path == "/2018-06-01/runtime/invocation/id-1/response");
  CHECK(api.posts[0].content_type == "application/json");
  CHECK(api.posts[0].body == "{\"n\":1}");
  CHECK(api.posts[1].body.empty());
  CHECK(api.posts[2].path == "/2018-06-01/runtime/invocation/id-3/response");
  CHECK(api.posts[2].body == "not JSON \xff");
}

TEST_CASE("the whole loop uses one connection", "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.events = {"1", "2", "3", "4"};
  run(api, echo);
  REQUIRE(api.client_ports.size() == 4);
  CHECK(std::count(api.client_ports.begin(), api.client_ports.end(), api.client_ports[0]) == 4);
}

TEST_CASE("a connection that the Runtime API closes is opened anew", "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.close_after_each = true;
  api.events = {"1", "2", "3"};
  run(api, echo);
  CHECK(api.posts.size() == 3);
}

TEST_CASE("what the headers say of an invocation is handed to the handler", "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.events = {"{}"};
  api.headers = {{"lambda-runtime-deadline-ms", "1700000000123"},
                 {"Lambda-Runtime-Invoked-Function-Arn", "arn:f"},
                 {"Lambda-Runtime-Client-Context", "{\"custom\":{}}"},
                 {"Lambda-Runtime-Trace-Id", "Root=1-2-3"}};
  run(api, [](const Invocation& invocation) {
    CHECK(invocation.request_id == "id-1");
    CHECK(invocation.deadline.time_since_epoch() == std::chrono::milliseconds(1'700'000'000'123));
    CHECK(invocation.function_arn == "arn:f");
    CHECK(invocation.client_context == "{\"custom\":{}}");
    CHECK(invocation.cognito_identity.empty());
    CHECK(invocation.trace_id == "Root=1-2-3");
    CHECK(trace_variable() == "Root=1-2-3");
    return Result::response("");
  });
  CHECK(api.posts.size() == 1);
}

TEST_CASE("the trace variable of one invocation does not outlive it", "[runtime_client]") {
  ::setenv("_X_AMZN_TRACE_ID", "of an earlier invocation", 1);
  ScriptedRuntimeApi api;
  api.events = {"{}"};
  std::string seen;
  run(api, [&](const Invocation&) {
    seen = trace_variable();
    return Result::response("");
  });
  CHECK(seen == "unset");
}

TEST_CASE("an error result and an exception become function errors, and the loop goes on",
          "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.events = {"error", "throw", "throw an int", "respond"};
  run(api, [](const Invocation& invocation) {
    if (invocation.payload == "error") return Result::error("My\r\nType", "it \"failed\"");
    if (invocation.payload == "throw") throw std::runtime_error("thrown");
    if (invocation.payload == "throw an int") throw 1;
    return Result::response("done");
  });
  REQUIRE(api.posts.size() == 4);
  CHECK(api.posts[0].path == "/2018-06-01/runtime/invocation/id-1/error");
  CHECK(api.posts[0].error_type == "My??Type");
  CHECK(nlohmann::json::parse(api.posts[0].body) ==
        nlohmann::json{{"errorType", "My\r\nType"}, {"errorMessage", "it \"failed\""}});
  CHECK(api.posts[1].error_type == "Unhandled");
  CHECK(nlohmann::json::parse(api.posts[1].body)["errorMessage"] == "thrown");
  CHECK(api.posts[2].error_type == "Unhandled");
  CHECK(api.posts[3].body == "done");
}

TEST_CASE("a handler that cannot be made is an init error and no invocation is fetched",
          "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.events = {"{}"};
  const auto status = api.serve([](const auto& address) {
    return runtime_client::run_initialized(
        address, []() -> runtime_client::Handler { throw std::runtime_error("no database"); });
  });
  CHECK(status != 0);
  REQUIRE(api.posts.size() == 1);
  CHECK(api.posts[0].path == "/2018-06-01/runtime/init/error");
  CHECK(nlohmann::json::parse(api.posts[0].body)["errorMessage"] == "no database");
  CHECK(api.events.size() == 1);
}

TEST_CASE("payloads of more than 4 MiB pass whole both ways", "[runtime_client]") {
  ScriptedRuntimeApi api;
  std::string large(6'291'556, 'x');
  for (std::size_t at = 0; at < large.size(); at += 97) large[at] = static_cast<char>(at % 251);
  api.events = {large, large.substr(0, 4 << 20)};
  run(api, echo);
  REQUIRE(api.posts.size() == 2);
  CHECK((api.posts[0].body == large));
  CHECK((api.posts[1].body == large.substr(0, 4 << 20)));
}

TEST_CASE("a refused response does not end the loop", "[runtime_client]") {
  ScriptedRuntimeApi api;
  api.post_status = 413;
  api.events = {"1", "2"};
  run(api, echo);
  CHECK(api.posts.size() == 2);
}

TEST_CASE("a Runtime API that is not there ends the loop unsuccessfully", "[runtime_client]") {
  std::string address;
  ScriptedRuntimeApi().serve([&](const auto& of_a_server_soon_gone) {
    address = of_a_server_soon_gone;
    return 0;
  });
  CHECK(runtime_client::run(address, echo) != 0);
}

TEST_CASE("a streaming handler's pieces are one response, and its early error is an error",
          "[runtime_client][stream]") {
  ScriptedRuntimeApi api;
  api.events = {"stream", "http", "fail", "empty"};
  const auto handler = [](const Invocation& invocation, runtime_client::ResponseStream& out) {
    if (invocation.payload == "fail") throw std::runtime_error("early");
    if (invocation.payload == "empty") return;
    if (invocation.payload == "http") out.set_http_metadata(R"({"statusCode":200})");
    if (invocation.payload == "stream") out.set_content_type("text/plain");
    out.write("one ");
    out.write("");
    CHECK(out.write("two") == runtime_client::ResponseStream::Wanted::more);
  };
  CHECK(api.serve([&](const auto& address) {
    return runtime_client::run_streaming(address, handler);
  }) != 0);
  REQUIRE(api.posts.size() == 4);
  CHECK(api.posts[0].path == "/2018-06-01/runtime/invocation/id-1/response");
  CHECK(api.posts[0].content_type == "text/plain");
  CHECK(api.posts[0].body == "one two");
  CHECK(api.posts[1].content_type == "application/vnd.awslambda.http-integration-response");
  CHECK(api.posts[1].body == R"({"statusCode":200})" + std::string(8, '\0') + "one two");
  CHECK(api.posts[2].path == "/2018-06-01/runtime/invocation/id-3/error");
  CHECK(api.posts[2].error_type == "Unhandled");
  CHECK(api.posts[3].path == "/2018-06-01/runtime/invocation/id-4/response");
  CHECK(api.posts[3].content_type == "application/octet-stream");
  CHECK(api.posts[3].body.empty());
}
