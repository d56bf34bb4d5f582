// Where deliveries go: to an endpoint that the user named for the target's service, else to a file
// for each target in the state folder, else nowhere but the list of deliveries. Nothing else is
// ever contacted.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/outbox.h"

#include <tl/expected.hpp>

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::app {

// Of one request to an endpoint. Our choice: a local emulator answers in milliseconds.
inline constexpr std::chrono::milliseconds kEndpointConnectTimeout{2'000};
inline constexpr std::chrono::milliseconds kEndpointAnswerTimeout{5'000};

// "sqs=http://127.0.0.1:9324": the service's requests go to that address.
struct Endpoint {
  invoke::TargetKind service = invoke::TargetKind::other;
  std::string host;
  int port = 80;
  std::string path;  // before the service's own; no "/" at its end
};

// The services: sqs, sns, events, s3 and lambda. Only http.
tl::expected<Endpoint, AppError> parse_endpoint(std::string_view text);

struct DeliveryPlaces {
  std::map<invoke::TargetKind, Endpoint> endpoints;
  std::optional<std::filesystem::path> folder;  // for the files; made when it is needed
};

// Any thread.
class DeliveryRoutes {
 public:
  // Functions named by a target are those of `invoke_async`, unless there is an endpoint for them.
  DeliveryRoutes(DeliveryPlaces places,
                 invoke::InvokeAsync invoke_async,
                 std::function<std::string()> new_request_id);
  DeliveryRoutes(const DeliveryRoutes&) = delete;
  DeliveryRoutes& operator=(const DeliveryRoutes&) = delete;
  ~DeliveryRoutes() = default;

  // See invoke::Deliver. Deliveries to one target one at a time, as invoke::Outbox sends them.
  tl::expected<std::string, invoke::DeliveryError> deliver(const invoke::Delivery& delivery);

 private:
  tl::expected<std::string, invoke::DeliveryError> invoke_function(const invoke::Delivery& delivery,
                                                                   const invoke::TargetArn& target);
  tl::expected<std::string, invoke::DeliveryError> append(const invoke::Delivery& delivery,
                                                          const invoke::TargetArn& target);

  const DeliveryPlaces places_;
  const invoke::InvokeAsync invoke_async_;
  const std::function<std::string()> new_request_id_;
};

}  // namespace emulator::app
