#include "runtime_api/telemetry_routes.h"

#include <catch2/catch_test_macros.hpp>

#include <optional>
#include <string>

using namespace runtime_api;

namespace {

const std::string kIdentifier = "01234567-89ab-cdef-0123-456789abcdef";
const std::string kBody = R"({"schemaVersion":"2022-12-13","types":["platform"],)"
                          R"("destination":{"protocol":"TCP","port":1234}})";

// An environment with one extension, which takes what it is told to.
struct Environment {
  bool is_open = true;
  std::optional<SubscriptionRefused> refusal;
  std::string subscriber;

  SubscriptionDesk desk() {
    return {.extension_name = [](const std::string& identifier) -> std::optional<std::string> {
              if (identifier == kIdentifier) return "watcher";
              return std::nullopt;
            },
            .open = [this] { return is_open; },
            .subscribe = [this](const std::string& name,
                                const Subscription&) -> tl::expected<void, SubscriptionRefused> {
              if (refusal) return tl::unexpected(*refusal);
              subscriber = name;
              return {};
            }};
  }
};

PostedRequest posted(std::string body) {
  PostedRequest request;
  request.read_body = [body = std::move(body)](std::uint64_t max_bytes) {
    PostedRequest::Body read;
    read.bytes = body.substr(0, max_bytes);
    read.size_bytes = body.size();
    return read;
  };
  return request;
}

RuntimeReply answer(Environment& environment,
                    std::string body = kBody,
                    std::optional<std::string> identifier = kIdentifier,
                    TelemetryApi api = TelemetryApi::telemetry) {
  return answer_subscribe(api, identifier, posted(std::move(body)), environment.desk());
}

}  // namespace

TEST_CASE("a subscription that is taken is answered OK", "[telemetry]") {
  Environment environment;
  const auto reply = answer(environment);
  CHECK(reply.status == 200);
  CHECK(reply.body == "\"OK\"");
  CHECK(environment.subscriber == "watcher");
}

TEST_CASE("only a registered extension subscribes", "[telemetry]") {
  Environment environment;
  for (const auto& missing : {std::optional<std::string>{}, std::optional<std::string>{""}}) {
    const auto reply = answer(environment, kBody, missing);
    CHECK(reply.status == 403);
    CHECK(reply.body ==
          "{\"errorMessage\":\"Missing Lambda-Extension-Identifier header\","
          "\"errorType\":\"Extension.MissingExtensionIdentifier\"}\n");
  }
  const auto invalid = answer(environment, kBody, "no-uuid");
  CHECK(invalid.status == 403);
  CHECK(invalid.body ==
        "{\"errorMessage\":\"Invalid Lambda-Extension-Identifier\","
        "\"errorType\":\"Extension.InvalidExtensionIdentifier\"}\n");
  const std::string other = "11234567-89ab-cdef-0123-456789abcdef";
  const auto unknown = answer(environment, kBody, other);
  CHECK(unknown.status == 403);
  CHECK(unknown.body == "{\"errorMessage\":\"Unknown extension " + other +
                            "\",\"errorType\":\"Extension.UnknownExtensionIdentifier\"}\n");
}

TEST_CASE("after Init subscriptions are closed, whatever they say", "[telemetry]") {
  Environment environment;
  environment.is_open = false;
  for (const auto& body : {kBody, std::string("nonsense")}) {
    const auto reply = answer(environment, body);
    CHECK(reply.status == 403);
    CHECK(reply.body ==
          "{\"errorMessage\":\"Telemetry API subscription is closed\","
          "\"errorType\":\"Telemetry.SubscriptionClosed\"}\n");
  }
}

TEST_CASE("each API has its own name for what is not valid", "[telemetry]") {
  Environment environment;
  const auto telemetry = answer(environment, "nonsense");
  CHECK(telemetry.status == 400);
  CHECK(telemetry.body.find("\"errorType\":\"ValidationError\"") != std::string::npos);
  CHECK(telemetry.body.find("failed to parse JSON") != std::string::npos);
  const auto logs = answer(environment, "nonsense", kIdentifier, TelemetryApi::logs);
  CHECK(logs.status == 400);
  CHECK(logs.body.find("\"errorType\":\"Logs.ValidationError\"") != std::string::npos);
}

TEST_CASE("a body beyond one mebibyte is too large", "[telemetry]") {
  Environment environment;
  CHECK(answer(environment, std::string(kMaxSubscriptionBytes + 1, ' ')).status == 413);
}

TEST_CASE("what an environment refuses has a status for its reason", "[telemetry]") {
  using Reason = SubscriptionRefused::Reason;
  Environment environment;
  environment.refusal = SubscriptionRefused{Reason::unreachable, "nobody listens"};
  auto reply = answer(environment);
  CHECK(reply.status == 400);
  CHECK(reply.body.find("Invalid destination: nobody listens") != std::string::npos);
  environment.refusal = SubscriptionRefused{Reason::conflict, "the other API"};
  CHECK(answer(environment).status == 400);
  environment.refusal = SubscriptionRefused{Reason::closed, ""};
  CHECK(answer(environment).status == 403);
  environment.refusal = SubscriptionRefused{Reason::failed, "no thread"};
  CHECK(answer(environment).status == 500);
}
