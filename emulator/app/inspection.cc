#include "emulator/app/inspection.h"

#include "emulator/app/json_reply.h"
#include "emulator/app/version.h"

#include <nlohmann/json.hpp>

#include <string>
#include <string_view>

namespace emulator::app {
namespace {

using front_doors::Reply;
using front_doors::Request;
using Json = nlohmann::ordered_json;

constexpr std::string_view kEnvironments = "/_hearth/environments";

Reply not_found(std::string_view what) {
  return message_reply(404, "there is nothing at " + std::string(what));
}

double milliseconds(environment::Nanoseconds value) {
  return std::chrono::duration<double, std::milli>(value).count();
}

// As X-Ray and the logs write it.
std::string xray_id_of(const std::string& trace_id) {
  return "1-" + trace_id.substr(0, 8) + "-" + trace_id.substr(8);
}

Json text_or_null(const std::string& id) { return id.empty() ? Json() : Json(id); }

Json as_json(const environment::Snapshot& snapshot) {
  return {{"id", snapshot.id},
          {"function", snapshot.function_name},
          {"version", snapshot.version},
          {"tenant_id", text_or_null(snapshot.tenant_id)},
          {"phase", environment::name_of(snapshot.phase)},
          {"pid", snapshot.pid ? Json(*snapshot.pid) : Json(nullptr)},
          {"initialization", environment::name_of(snapshot.initialization)},
          {"invocations", snapshot.invocations},
          {"age_ms", snapshot.age.count()},
          {"since_last_use_ms", snapshot.since_last_use.count()},
          {"memory_bytes", snapshot.memory_bytes},
          {"frozen", snapshot.frozen},
          {"initialization", environment::name_of(snapshot.initialization)}};
}

Json as_json(const environment::InvocationReport& report) {
  using environment::InvocationKind;
  const auto started =
      std::chrono::duration_cast<std::chrono::milliseconds>(report.started.time_since_epoch());
  return {{"request_id", report.request_id},
          {"function", report.function_name},
          {"version", report.version},
          {"tenant_id", text_or_null(report.tenant_id)},
          {"kind", report.kind == InvocationKind::event ? "Event" : "RequestResponse"},
          {"attempt", report.attempt},
          {"started_ms", started.count()},
          {"cold", report.cold()},
          {"init_ms", report.init_duration ? Json(milliseconds(*report.init_duration)) : Json()},
          {"restore_ms",
           report.restore_duration ? Json(milliseconds(*report.restore_duration)) : Json()},
          {"duration_ms", milliseconds(report.duration)},
          {"billed_ms", environment::billed_duration_ms(report, environment::Profile::aws)},
          {"memory_size_mb", report.memory_size_mb},
          {"peak_memory_mb", report.max_memory_used_mb},
          {"throttled_cpu_ms",
           report.throttled_cpu ? Json(milliseconds(*report.throttled_cpu)) : Json()},
          {"outcome", report.error_type.empty() ? "success" : report.error_type}};
}

std::string_view name_of(report::SpanKind kind) {
  switch (kind) {
    case report::SpanKind::internal:
      return "internal";
    case report::SpanKind::server:
      return "server";
    case report::SpanKind::client:
      break;
  }
  return "client";
}

Json as_json(const report::Span& span) {
  Json attributes = Json::object();
  for (const auto& [key, value] : span.attributes) {
    std::visit([&attributes, &name = key](const auto& known) { attributes[name] = known; }, value);
  }
  Json exceptions = Json::array();
  for (const auto& exception : span.exceptions) {
    exceptions.push_back({{"type", exception.type}, {"message", exception.message}});
  }
  return {{"id", span.span_id},
          {"parent_id", text_or_null(span.parent_id)},
          {"function", span.service},
          {"name", span.name},
          {"kind", name_of(span.kind)},
          {"start_ns", span.start.count()},
          {"duration_ms", milliseconds(span.end - span.start)},
          {"failed", span.failed},
          {"attributes", std::move(attributes)},
          {"exceptions", std::move(exceptions)}};
}

Json as_json(const report::TraceCounts& counts, const std::vector<report::ExportCounts>& exported) {
  Json exports = Json::array();
  for (const auto& one : exported) {
    exports.push_back({{"sent_spans", one.sent}, {"dropped_spans", one.dropped}});
  }
  return {{"spans", counts.spans},
          {"forgotten_spans", counts.forgotten},
          {"datagrams", counts.datagrams},
          {"refused_datagrams", counts.refused_datagrams},
          {"last_refusal", text_or_null(counts.last_refusal)},
          {"exports", std::move(exports)}};
}

Reply traces(Emulator& emulator, const Request& request) {
  const auto limit = limit_of(request, kListedTraces);
  if (!limit) return limit.error();
  Json list = Json::array();
  for (const auto& trace : emulator.traces().newest(*limit)) {
    Json spans = Json::array();
    for (const auto& span : trace.spans) spans.push_back(as_json(span));
    list.push_back({{"trace_id", xray_id_of(trace.trace_id)},
                    {"spans", std::move(spans)},
                    {"forgotten_spans", trace.forgotten}});
  }
  return json_reply(200,
                    {{"traces", std::move(list)},
                     {"counts", as_json(emulator.traces().counts(), emulator.exported())}});
}

Reply environments(Emulator& emulator, const Request& request) {
  if (path_of(request) != kEnvironments) return not_found(path_of(request));
  Json list = Json::array();
  for (const auto& snapshot : emulator.pool().snapshots()) {
    list.push_back(as_json(snapshot));
  }
  return json_reply(200, {{"environments", list}});
}

Reply retire(Emulator& emulator, const Request& request) {
  const auto path = path_of(request);
  if (path == kEnvironments) {
    emulator.pool().retire_all();
    return json_reply(200, {{"retired", "all"}});
  }
  const auto id = path.substr(kEnvironments.size() + 1);
  if (!emulator.pool().retire(id)) return not_found(path);
  return json_reply(200, {{"retired", id}});
}

Reply invocations(Emulator& emulator, const Request& request) {
  const auto limit = limit_of(request, kListedInvocations);
  if (!limit) return limit.error();
  Json list = Json::array();
  for (const auto& report :
       emulator.history().newest(query_value(request, "function").value_or(""), *limit)) {
    list.push_back(as_json(report));
  }
  return json_reply(200, {{"invocations", list}});
}

void add_metric(std::string& text,
                std::string_view name,
                std::string_view type,
                std::string_view help) {
  text.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
  text.append(name).append(" ").append(type).append("\n");
}

std::string label(std::string_view name, std::string_view value) {
  return std::string(name) + "=\"" + std::string(value) + "\"";
}

Reply metrics(Emulator& emulator, const Request&) {
  const auto totals = emulator.history().totals();
  std::string text;
  const auto each =
      [&](std::string_view name, std::string_view type, std::string_view help, const auto& value) {
        add_metric(text, name, type, help);
        for (const auto& [function, total] : totals) {
          text.append(name).append("{").append(label("function", function)).append("} ");
          text.append(value(total)).append("\n");
        }
      };
  const auto seconds = [](environment::Nanoseconds value) {
    return std::to_string(std::chrono::duration<double>(value).count());
  };
  using Totals = report::FunctionTotals;
  each("hearth_invocations_total", "counter", "Invocations that ended.", [](const Totals& t) {
    return std::to_string(t.invocations);
  });
  each("hearth_cold_starts_total",
       "counter",
       "Invocations that began with an init.",
       [](const Totals& t) { return std::to_string(t.cold_starts); });
  each("hearth_duration_seconds_total",
       "counter",
       "Time from START to REPORT.",
       [&](const Totals& t) { return seconds(t.duration); });
  each("hearth_init_duration_seconds_total", "counter", "Time of inits.", [&](const Totals& t) {
    return seconds(t.init_duration);
  });
  each("hearth_billed_milliseconds_total", "counter", "Billed duration.", [](const Totals& t) {
    return std::to_string(t.billed_ms);
  });
  add_metric(text, "hearth_errors_total", "counter", "Invocations that failed, by error type.");
  for (const auto& [function, total] : totals) {
    for (const auto& [type, count] : total.errors) {
      text.append("hearth_errors_total{").append(label("function", function)).append(",");
      text.append(label("type", type)).append("} ").append(std::to_string(count)).append("\n");
    }
  }
  add_metric(text, "hearth_environments", "gauge", "Execution environments.");
  text.append("hearth_environments ").append(std::to_string(emulator.pool().snapshots().size()));
  Reply reply;
  reply.content_type = "text/plain; version=0.0.4; charset=utf-8";
  reply.body = text + "\n";
  return reply;
}

Reply health(Emulator&, const Request&) {
  return json_reply(200, {{"status", "ok"}, {"version", kVersion}});
}

}  // namespace

std::vector<control_plane::ExtraRoute> inspection_routes(const FindEmulator& find) {
  const auto route = [&find](std::string method, std::string_view path, auto answer) {
    return control_plane::ExtraRoute{
        std::move(method), std::string(path), [find, answer](const Request& request) {
          auto* emulator = find();
          if (emulator != nullptr) return answer(*emulator, request);
          return message_reply(503, "Hearth is starting");
        }};
  };
  return {route("GET", "/_hearth/health", health),
          route("GET", kEnvironments, environments),
          route("DELETE", kEnvironments, retire),
          route("GET", "/_hearth/invocations", invocations),
          route("GET", "/_hearth/traces", traces),
          route("GET", "/metrics", metrics)};
}

}  // namespace emulator::app
