#include "emulator/app/service_inspection.h"

#include "emulator/app/json_reply.h"

#include <nlohmann/json.hpp>

#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::app {
namespace {

using front_doors::Reply;
using front_doors::Request;
using Json = nlohmann::ordered_json;

constexpr std::string_view kCode = "/_hearth/code";

std::string_view state_name(invoke::EventState state) {
  switch (state) {
    case invoke::EventState::queued:
      return "queued";
    case invoke::EventState::waiting:
      return "waiting";
    case invoke::EventState::running:
      return "running";
    case invoke::EventState::done:
      return "done";
  }
  return {};
}

std::string_view state_name(invoke::Delivery::State state) {
  switch (state) {
    case invoke::Delivery::State::waiting:
      return "waiting";
    case invoke::Delivery::State::delivered:
      return "delivered";
    case invoke::Delivery::State::failed:
      return "failed";
  }
  return {};
}

Json as_json(const invoke::AttemptStatus& attempt) {
  Json json = {{"started", invoke::iso_milliseconds(attempt.started)},
               {"outcome", attempt.outcome}};
  if (attempt.wait) {
    json["next_after_ms"] =
        std::chrono::duration_cast<std::chrono::milliseconds>(attempt.wait->delay).count();
    json["why"] = invoke::wait_reason_name(attempt.wait->reason);
  }
  return json;
}

Json as_json(const invoke::EventStatus& event) {
  Json json = {{"request_id", event.request_id},
               {"function", event.function_name},
               {"qualifier", event.qualifier.value_or("$LATEST")},
               {"accepted", invoke::iso_milliseconds(event.accepted)},
               {"state", state_name(event.state)},
               {"attempts_begun", event.attempts_begun},
               {"attempts", Json::array()}};
  for (const auto& attempt : event.attempts) json["attempts"].push_back(as_json(attempt));
  if (event.next_due) json["next_due"] = invoke::iso_milliseconds(*event.next_due);
  if (event.ended) json["ended"] = invoke::iso_milliseconds(*event.ended);
  if (event.condition) json["condition"] = invoke::condition_name(*event.condition);
  return json;
}

Json as_json(const invoke::Delivery& delivery) {
  Json attributes = Json::object();
  for (const auto& [name, attribute] : delivery.attributes) {
    attributes[name] = {{"type", attribute.type}, {"value", attribute.value}};
  }
  // What was sent is shown as JSON where it is JSON, and as text elsewhere.
  auto body = Json::parse(delivery.body, nullptr, false);
  if (body.is_discarded()) body = delivery.body;
  Json json = {{"target", delivery.target_arn},
               {"role", invoke::delivery_role_name(delivery.role)},
               {"function", delivery.function_name},
               {"request_id", delivery.request_id},
               {"condition", invoke::condition_name(delivery.condition)},
               {"time", invoke::iso_milliseconds(delivery.made)},
               {"state", state_name(delivery.state)},
               {"tries", delivery.tries},
               {"where", delivery.where}};
  if (!delivery.error.empty()) json["error"] = delivery.error;
  if (!attributes.empty()) json["attributes"] = std::move(attributes);
  json["body"] = std::move(body);
  return json;
}

Reply nothing_there(const Request& request) {
  return message_reply(404,
                       "there is nothing at " + std::string(request.method) + " " +
                           std::string(path_of(request)) + "; docs/guide.md lists the paths");
}

template <typename List>
Reply listed(std::string_view member, const Request& request, List list) {
  if (!path_of(request).ends_with(member)) return nothing_there(request);
  const auto limit = limit_of(request, kListedEvents);
  if (!limit) return limit.error();
  Json entries = Json::array();
  for (const auto& entry : list(query_value(request, "function").value_or(""), *limit)) {
    entries.push_back(as_json(entry));
  }
  return json_reply(200, {{std::string(member), std::move(entries)}});
}

Reply events(Service& service, const Request& request) {
  return listed("events", request, [&](const std::string& function, std::size_t limit) {
    return service.queue().events(function, limit);
  });
}

Reply deliveries(Service& service, const Request& request) {
  return listed("deliveries", request, [&](const std::string& function, std::size_t limit) {
    return service.outbox().deliveries(function, limit);
  });
}

Reply clock(Service& service, const Request&) {
  return json_reply(200,
                    {{"clock", service.virtual_time() != nullptr ? "virtual" : "real"},
                     {"now", invoke::iso_milliseconds(service.clock().wall_now())}});
}

std::optional<std::int64_t> advance_of(const std::string& body) {
  const auto json = Json::parse(body, nullptr, false);
  if (!json.is_object()) return std::nullopt;
  const auto given = json.find("advance_ms");
  if (given == json.end() || !given->is_number_integer()) return std::nullopt;
  if (given->is_number_unsigned() && given->get<std::uint64_t>() > INT64_MAX) return std::nullopt;
  return given->get<std::int64_t>();
}

Reply advance(Service& service, const Request& request) {
  if (service.virtual_time() == nullptr) {
    return message_reply(409, "the clock is the host's; start hearth serve with --clock virtual");
  }
  const auto by = advance_of(request.body);
  if (!by) return message_reply(400, "send {\"advance_ms\":N} with a whole number N");
  const auto fired = service.advance(std::chrono::milliseconds(*by));
  if (!fired) return message_reply(service.stopping() ? 503 : 400, fired.error());
  return json_reply(
      200,
      {{"now", invoke::iso_milliseconds(service.clock().wall_now())}, {"timers_fired", *fired}});
}

Reply package(Service& service, const Request& request) {
  auto name = path_of(request).substr(kCode.size());
  if (name.starts_with('/')) name.remove_prefix(1);
  if (name.ends_with(".zip")) name.remove_suffix(4);
  const auto path = service.code().zip_of(std::string(name));
  std::ifstream file;
  if (path) file.open(*path, std::ios::binary);
  if (!file.is_open()) return message_reply(404, "there is no package of that content");
  Reply reply;
  reply.content_type = "application/zip";
  reply.body.assign(std::istreambuf_iterator<char>(file), {});
  return reply;
}

}  // namespace

std::vector<control_plane::ExtraRoute> service_routes(const FindService& find) {
  const auto route = [find](std::string method, std::string_view path, auto answer) {
    return control_plane::ExtraRoute{
        std::move(method), std::string(path), [find, answer](const Request& request) {
          auto* service = find();
          if (service != nullptr) return answer(*service, request);
          return message_reply(503, "Hearth is starting");
        }};
  };
  const auto nothing = [](Service&, const Request& request) { return nothing_there(request); };
  return {route("GET", "/_hearth", nothing),
          route("POST", "/_hearth", nothing),
          route("PUT", "/_hearth", nothing),
          route("DELETE", "/_hearth", nothing),
          route("GET", "/_hearth/events", events),
          route("GET", "/_hearth/deliveries", deliveries),
          route("GET", "/_hearth/clock", clock),
          route("POST", "/_hearth/clock", advance),
          route("GET", kCode, package)};
}

}  // namespace emulator::app
