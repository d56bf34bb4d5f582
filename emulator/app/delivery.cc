#include "emulator/app/delivery.h"

#include "emulator/app/delivery_request.h"
#include "emulator/app/http_address.h"
#include "emulator/app/whole_append.h"
#include "emulator/sandbox/unique_fd.h"

#include <httplib.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>

namespace emulator::app {
namespace {

using invoke::Delivery;
using invoke::DeliveryError;
using invoke::TargetArn;
using invoke::TargetKind;
using Delivered = tl::expected<std::string, DeliveryError>;

// What is read of an endpoint's answer. Our choice: enough for the identifiers and errors that
// these services answer with.
constexpr std::size_t kMostAnswerBytes = std::size_t{64} << 10;
constexpr std::size_t kMostQuotedBytes = 300;

constexpr TargetKind kServices[] = {
    TargetKind::sqs, TargetKind::sns, TargetKind::events, TargetKind::s3, TargetKind::lambda};

tl::unexpected<AppError> wrong_endpoint(std::string_view text, std::string_view why) {
  return tl::unexpected(
      AppError{kWrongUsage,
               "--endpoint " + std::string(text) + ": " + std::string(why) +
                   "; write it as SERVICE=http://HOST:PORT, where SERVICE is sqs, sns, events, s3 "
                   "or lambda"});
}

tl::unexpected<DeliveryError> failed(DeliveryError::Kind kind, std::string message) {
  return tl::unexpected(DeliveryError{kind, std::move(message)});
}

std::string base_url(const Endpoint& endpoint) {
  return url_of({.host = endpoint.host, .port = endpoint.port, .path = endpoint.path});
}

Delivered request(const Delivery& delivery, TargetKind service, const Endpoint& endpoint) {
  const auto url = base_url(endpoint);
  auto wanted = endpoint_request(delivery, url, endpoint.path);
  httplib::Request request;
  request.method = wanted.method;
  request.path = wanted.path;
  request.headers.emplace("Content-Type", wanted.content_type);
  for (auto& [name, value] : wanted.headers) request.headers.emplace(name, std::move(value));
  request.body = std::move(wanted.body);
  std::string answer;
  request.content_receiver = [&answer](
                                 const char* bytes, std::size_t size, std::size_t, std::size_t) {
    answer.append(bytes, std::min(size, kMostAnswerBytes - answer.size()));
    return true;
  };
  httplib::Client client(endpoint.host, endpoint.port);
  client.set_path_encode(false);
  client.set_connection_timeout(kEndpointConnectTimeout);
  client.set_read_timeout(kEndpointAnswerTimeout);
  client.set_write_timeout(kEndpointAnswerTimeout);
  const auto result = client.send(request);
  if (!result) {
    return failed(DeliveryError::Kind::passing,
                  url + " did not answer (" + httplib::to_string(result.error()) +
                      "); see whether it runs, and what --endpoint names");
  }
  if (result->status / 100 != 2) {
    const bool passing = result->status >= 500 || result->status == 429;
    return failed(passing ? DeliveryError::Kind::passing : DeliveryError::Kind::permanent,
                  url + " answered " + std::to_string(result->status) + ": " +
                      answer.substr(0, kMostQuotedBytes));
  }
  if (auto refused = refused_in_answer(service, answer); !refused.empty()) {
    return failed(DeliveryError::Kind::permanent, url + ": " + refused);
  }
  return url;
}

std::string why(int error) { return std::generic_category().message(error); }

}  // namespace

tl::expected<Endpoint, AppError> parse_endpoint(std::string_view text) {
  const auto equals = text.find('=');
  if (equals == std::string_view::npos) return wrong_endpoint(text, "there is no address");
  Endpoint endpoint;
  for (const auto service : kServices) {
    if (text.substr(0, equals) == target_kind_name(service)) endpoint.service = service;
  }
  if (endpoint.service == TargetKind::other) return wrong_endpoint(text, "no such service");
  auto address = parse_http_address(text.substr(equals + 1));
  if (!address) return wrong_endpoint(text, address.error());
  endpoint.host = std::move(address->host);
  endpoint.port = address->port;
  endpoint.path = std::move(address->path);
  return endpoint;
}

DeliveryRoutes::DeliveryRoutes(DeliveryPlaces places,
                               invoke::InvokeAsync invoke_async,
                               std::function<std::string()> new_request_id)
    : places_(std::move(places)),
      invoke_async_(std::move(invoke_async)),
      new_request_id_(std::move(new_request_id)) {}

Delivered DeliveryRoutes::deliver(const Delivery& delivery) {
  const auto target = invoke::parse_target(delivery.target_arn);
  const auto endpoint = places_.endpoints.find(target.kind);
  if (endpoint != places_.endpoints.end()) {
    return request(delivery, target.kind, endpoint->second);
  }
  const auto own = invoke::parse_target(delivery.function_arn);
  if (target.kind == TargetKind::lambda && target.region == own.region &&
      target.account == own.account) {
    return invoke_function(delivery, target);
  }
  if (places_.folder) return append(delivery, target);
  return "nowhere: there is no --endpoint for " + std::string(target_kind_name(target.kind)) +
         ", and no state folder";
}

Delivered DeliveryRoutes::invoke_function(const Delivery& delivery, const TargetArn& target) {
  invoke::InvocationRequest request;
  request.function_name = target.name;
  if (!target.qualifier.empty()) request.qualifier = target.qualifier;
  request.request_id = new_request_id_();
  request.payload = delivery.body;
  request.kind = environment::InvocationKind::event;
  request.lineage = delivery.lineage;
  const auto where = "function " + target.name + " as " + request.request_id;
  const auto accepted = invoke_async_(std::move(request));
  if (accepted) return where;
  const auto& refusal = accepted.error();
  switch (refusal.kind) {
    case invoke::Refusal::Kind::shutting_down:
      return failed(DeliveryError::Kind::stopping, refusal.message);
    case invoke::Refusal::Kind::concurrency_exceeded:
    case invoke::Refusal::Kind::snapshot_not_ready:
    case invoke::Refusal::Kind::not_kept:
      return failed(DeliveryError::Kind::passing, refusal.message);
    case invoke::Refusal::Kind::function_not_found:
    case invoke::Refusal::Kind::qualifier_not_found:
    case invoke::Refusal::Kind::not_runnable:
    case invoke::Refusal::Kind::tenant_missing:
    case invoke::Refusal::Kind::tenant_unexpected:
    case invoke::Refusal::Kind::snapshot_failed:
    case invoke::Refusal::Kind::not_invocable:
      break;
  }
  return failed(DeliveryError::Kind::permanent, refusal.message);
}

Delivered DeliveryRoutes::append(const Delivery& delivery, const TargetArn& target) {
  const auto file = *places_.folder / delivery_file_name(delivery.target_arn);
  const auto line = delivery_line(delivery) + "\n";
  const auto refused = [&](int error) {
    return failed(DeliveryError::Kind::passing,
                  "the message for " + target.name + " could not be written to " + file.string() +
                      ": " + why(error));
  };
  // Deliveries to one target come one at a time, and O_APPEND keeps apart the lines of two targets
  // with one name.
  if (::mkdir(places_.folder->c_str(), 0700) != 0 && errno != EEXIST) return refused(errno);
  const sandbox::UniqueFd fd(
      ::open(file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return refused(errno);
  if (const int error = append_whole(fd.get(), line); error != 0) return refused(error);
  return file.string();
}

}  // namespace emulator::app
