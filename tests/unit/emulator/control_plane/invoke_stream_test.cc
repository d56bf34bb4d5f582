#include "emulator/control_plane/invoke_stream.h"

#include "emulator/front_doors/event_stream.h"
#include "emulator/functions/base64.h"
#include "tests/support/event_messages.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <string>
#include <vector>

using namespace emulator::control_plane;
using namespace emulator::invoke;
using namespace emulator::environment;
using emulator::front_doors::Client;
using emulator::front_doors::Reply;
using nlohmann::json;
using tests::EventMessage;
using tests::read_event_messages;

namespace {

using Ended = StreamedInvocation::Ended;

Ended result(Outcome outcome) { return InvocationResult{std::move(outcome), "7", "the tail"}; }

Reply reply_of(const Invoke& invoke, ReleaseAt release_at = ReleaseAt::response) {
  InvocationRequest request;
  request.request_id = "the-id";
  request.release_at = release_at;
  request.trace_id = "Root=1";
  return stream_invocation(std::move(request), invoke, {}).value();
}

std::vector<EventMessage> events(const Reply& reply) {
  std::string bytes;
  reply.stream([&](std::string_view piece) {
    bytes += piece;
    return Client::listens;
  });
  return read_event_messages(bytes);
}

std::string header(const Reply& reply, std::string_view name) {
  const auto found = std::find_if(
      reply.headers.begin(), reply.headers.end(), [&](const auto& h) { return h.name == name; });
  return found == reply.headers.end() ? "" : found->value;
}

// Streams "one", "two" and ends so.
Invoke streaming(Outcome outcome) {
  return [outcome](InvocationRequest request) -> Ended {
    request.version_chosen("7");
    request.stream->begin("text/html");
    request.stream->write("one");
    request.stream->write("two");
    return result(outcome);
  };
}

std::string payloads(const std::vector<EventMessage>& messages) {
  std::string all;
  for (const auto& message : messages) {
    if (message.headers.at(":event-type") == "PayloadChunk") all += message.payload;
  }
  return all;
}

}  // namespace

TEST_CASE("a streamed response is chunks and one empty InvokeComplete", "[control_plane][stream]") {
  const auto reply = reply_of(streaming(Responded{}));
  CHECK(reply.status == 200);
  CHECK(reply.content_type == "application/vnd.amazon.eventstream");
  CHECK(header(reply, "X-Amzn-Remapped-Content-Type") == "text/html");
  CHECK(header(reply, "X-Amz-Executed-Version") == "7");
  CHECK(header(reply, "x-amzn-RequestId") == "the-id");
  CHECK(header(reply, "X-Amzn-Trace-Id") == "Root=1");
  const auto messages = events(reply);
  CHECK(payloads(messages) == "onetwo");
  const auto& last = messages.back();
  CHECK(last.headers == std::map<std::string, std::string>{{":event-type", "InvokeComplete"},
                                                           {":content-type", "application/json"},
                                                           {":message-type", "event"}});
  CHECK(last.payload == "{}");
}

TEST_CASE("an error behind the first byte is told by InvokeComplete, with the log if asked for",
          "[control_plane][stream]") {
  const std::vector<std::pair<Outcome, std::string>> failures = {
      {FunctionError{"Runtime.Late", R"({"errorMessage":"no"})"}, R"({"errorMessage":"no"})"},
      {TimedOut{std::chrono::seconds{3}},
       R"({"errorType":"Sandbox.Timedout","errorMessage":"RequestId: the-id Error: Task timed out )"
       R"(after 3.00 seconds"})"},
      {RuntimeExited{.exit_code = 1, .signal = {}},
       R"({"errorType":"Runtime.ExitError","errorMessage":"RequestId: the-id Error: Runtime )"
       R"(exited with error: exit status 1"})"},
      {ResponseTooLarge{209'715'201, 209'715'200},
       R"({"errorMessage":"Response payload size exceeded maximum allowed payload size )"
       R"((209715200 bytes).","errorType":"Function.ResponseSizeTooLarge"})"}};
  for (const auto& [outcome, details] : failures) {
    INFO(details);
    const auto reply = reply_of(streaming(outcome), ReleaseAt::report);
    CHECK(reply.status == 200);
    const auto messages = events(reply);
    CHECK(payloads(messages) == "onetwo");
    CHECK(json::parse(messages.back().payload) ==
          json{{"ErrorCode", "Unhandled"},
               {"ErrorDetails", details},
               {"LogResult", emulator::functions::base64_encoded("the tail")}});
  }
}

TEST_CASE("a function that does not stream gives its response as chunks at the end",
          "[control_plane][stream]") {
  std::string body;
  for (int i = 0; body.size() < 3 * kMaxChunkBytes; ++i) body += std::to_string(i);
  const auto reply = reply_of([&](const InvocationRequest&) {
    return result(Responded{body, "application/json"});
  });
  CHECK(header(reply, "X-Amzn-Remapped-Content-Type") == "application/json");
  const auto messages = events(reply);
  CHECK(messages.size() > 3);
  CHECK(payloads(messages) == body);
  CHECK(messages.back().payload == "{}");
  CHECK(events(reply_of([](const InvocationRequest&) { return result(Responded{}); })).size() == 1);
}

TEST_CASE("a function that fails before it streams is answered 200 and InvokeComplete alone",
          "[control_plane][stream]") {
  const auto reply = reply_of([](const InvocationRequest&) {
    return result(FunctionError{"Runtime.No", "not \xFF utf-8"});
  });
  CHECK(reply.status == 200);
  const auto messages = events(reply);
  REQUIRE(messages.size() == 1);
  CHECK(json::parse(messages[0].payload) ==
        json{{"ErrorCode", "Unhandled"}, {"ErrorDetails", "not \xEF\xBF\xBD utf-8"}});
}

TEST_CASE("a refusal is no reply of a stream", "[control_plane][stream]") {
  const auto reply =
      stream_invocation({},
                        [](const InvocationRequest&) -> Ended {
                          return tl::unexpected(Refusal{Refusal::Kind::function_not_found, "none"});
                        },
                        {});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Refusal::Kind::function_not_found);
}

TEST_CASE("an error document of any size fits into one message", "[control_plane][stream]") {
  std::string out;
  append_invoke_complete(out,
                         {.error_code = "Unhandled",
                          .error_details = std::string(6'291'556, '\x01'),
                          .log_tail = std::string(4096, 'l')});
  const auto messages = read_event_messages(out);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].payload.size() <= emulator::front_doors::kMaxEventPayloadBytes);
  CHECK(json::parse(messages[0].payload)["ErrorDetails"].get<std::string>().size() ==
        kMaxErrorDetailsBytes);
}

TEST_CASE("a client that has gone lets a stream run to its end", "[control_plane][stream]") {
  std::atomic<bool> ended = false;
  const auto reply = reply_of([&](InvocationRequest request) -> Ended {
    request.version_chosen("7");
    request.stream->begin("");
    for (int i = 0; i < 100; ++i) request.stream->write(std::string(kMaxChunkBytes, 'x'));
    ended = true;
    return result(Responded{});
  });
  CHECK(header(reply, "X-Amzn-Remapped-Content-Type") == "application/octet-stream");
  reply.stream([](std::string_view) { return Client::gone; });
  CHECK(ended);
}
