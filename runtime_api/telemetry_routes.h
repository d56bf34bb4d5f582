// The routes PUT /2022-07-01/telemetry and PUT /2020-08-15/logs: what a subscription is answered.
// They know no HTTP library and no extension; both are handed in.
//
// Any thread. Sources: developer guide for statuses; the emulator that AWS publishes for the error
// types of identifiers and of a closed subscription.
#pragma once

#include "runtime_api/runtime_routes.h"
#include "runtime_api/telemetry_subscription.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

namespace runtime_api {

// Why an environment does not take a subscription that is well formed.
struct SubscriptionRefused {
  enum class Reason : std::uint8_t {
    closed,    // Init is over
    conflict,  // with what the environment has subscribed already
    unreachable,
    failed,  // a fault of ours, or of the host
  };
  Reason reason = Reason::closed;
  std::string message{};  // a sentence
};

// What the routes ask of the environment. Each function may be called on any thread.
struct SubscriptionDesk {
  // The name of the extension that registered with this identifier; nothing: none did.
  std::function<std::optional<std::string>(const std::string& identifier)> extension_name;
  std::function<bool()> open;
  std::function<tl::expected<void, SubscriptionRefused>(const std::string& extension,
                                                        const Subscription& subscription)>
      subscribe;
};

// `identifier` is the Lambda-Extension-Identifier header; nothing: it was not sent. Of `posted`,
// only the body is read.
RuntimeReply answer_subscribe(TelemetryApi api,
                              const std::optional<std::string>& identifier,
                              const PostedRequest& posted,
                              const SubscriptionDesk& desk);

}  // namespace runtime_api
