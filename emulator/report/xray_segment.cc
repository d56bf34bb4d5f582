#include "emulator/report/xray_segment.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

namespace emulator::report {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kSegmentDigits = 16;
constexpr std::size_t kTraceDigits = 32;

// Year 2200, as elsewhere: nanoseconds have room for it.
constexpr double kLatestSecond = 7'258'118'400;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

tl::unexpected<std::string> refused(std::string why) { return tl::unexpected(std::move(why)); }

// Not in the middle of a character.
std::string cut(std::string text, std::size_t most) {
  if (text.size() <= most) return text;
  while (most > 0 && (static_cast<unsigned char>(text[most]) & 0xC0U) == 0x80U) --most;
  text.resize(most);
  return text;
}

// The parser has a stack of its own, but whoever walks a value has not.
bool is_shallow(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') ++i;
      if (c == '"') quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if (c == '{' || c == '[') ++depth;
    if (c == '}' || c == ']') --depth;
    // Each subsegment is an object in a list.
    if (depth > 2 * kMaxSegmentDepth + 2) return false;
  }
  return true;
}

std::string text_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

bool flag_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

const Json* object_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_object() ? &*found : nullptr;
}

std::optional<std::chrono::nanoseconds> time_in(const Json& object, const char* name) {
  const auto found = object.find(name);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  const auto seconds = found->get<double>();
  if (!std::isfinite(seconds) || seconds < 0 || seconds > kLatestSecond) return std::nullopt;
  const auto whole = std::floor(seconds);
  return std::chrono::seconds(static_cast<std::int64_t>(whole)) +
         std::chrono::nanoseconds(std::llround((seconds - whole) * 1e9));
}

std::optional<AttributeValue> attribute_of(const Json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
    return value.get<double>();
  }
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_string()) return cut(value.get<std::string>(), kMaxAttributeBytes);
  return std::nullopt;
}

void add(Span& span, std::string name, std::optional<AttributeValue> value) {
  if (!value || span.attributes.size() >= kMaxSpanAttributes) return;
  span.attributes.emplace_back(cut(std::move(name), kMaxSegmentName), std::move(*value));
}

void add_member(Span& span, std::string name, const Json* object, const char* member) {
  if (object == nullptr) return;
  const auto found = object->find(member);
  if (found != object->end()) add(span, std::move(name), attribute_of(*found));
}

// Source of the names: OpenTelemetry's semantic conventions.
void read_http(const Json& segment, Span& span) {
  const auto* http = object_in(segment, "http");
  if (http == nullptr) return;
  const auto* request = object_in(*http, "request");
  add_member(span, "http.request.method", request, "method");
  add_member(span, "url.full", request, "url");
  add_member(span, "user_agent.original", request, "user_agent");
  add_member(span, "client.address", request, "client_ip");
  const auto* response = object_in(*http, "response");
  add_member(span, "http.response.status_code", response, "status");
  add_member(span, "http.response.body.size", response, "content_length");
}

void read_aws(const Json& segment, Span& span) {
  const auto* aws = object_in(segment, "aws");
  if (aws == nullptr) return;
  for (const auto& [key, value] : aws->items()) add(span, "aws." + key, attribute_of(value));
}

void read_annotations(const Json& segment, Span& span) {
  if (const auto* annotations = object_in(segment, "annotations")) {
    for (const auto& [key, value] : annotations->items()) add(span, key, attribute_of(value));
  }
  if (const auto* metadata = object_in(segment, "metadata")) {
    for (const auto& [key, value] : metadata->items()) {
      const auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
      add(span, "aws.xray.metadata." + key, cut(text, kMaxAttributeBytes));
    }
  }
}

// A cause may also be the identifier of an exception that is told elsewhere in the trace.
void read_cause(const Json& segment, Span& span) {
  span.failed =
      flag_in(segment, "fault") || flag_in(segment, "error") || flag_in(segment, "throttle");
  for (const auto* name : {"fault", "error", "throttle"}) {
    if (flag_in(segment, name)) add(span, "aws.xray." + std::string(name), AttributeValue(true));
  }
  const auto* cause = object_in(segment, "cause");
  if (cause == nullptr) return;
  const auto exceptions = cause->find("exceptions");
  if (exceptions == cause->end() || !exceptions->is_array()) return;
  for (const auto& exception : *exceptions) {
    if (!exception.is_object() || span.exceptions.size() >= kMaxSpanAttributes) continue;
    span.exceptions.push_back({cut(text_in(exception, "type"), kMaxSegmentName),
                               cut(text_in(exception, "message"), kMaxAttributeBytes)});
  }
}

class SegmentReader {
 public:
  SegmentReader(std::string trace_id, const std::string& service)
      : trace_id_(std::move(trace_id)), service_(service) {}

  // Nothing, or what is wrong.
  std::optional<std::string> read(const Json& segment, const std::string& parent, int depth) {
    if (depth > kMaxSegmentDepth) return "its subsegments nest too deep";
    if (!segment.is_object()) return "a segment is no JSON object";
    if (spans_.size() >= kMaxSegmentsInDatagram) return "it has too many subsegments";
    const auto id = text_in(segment, "id");
    if (id.size() != kSegmentDigits || !is_hex(id)) {
      return "a segment's id is not 16 hexadecimal digits";
    }
    const auto start = time_in(segment, "start_time");
    if (!start) return "a segment has no start_time";
    if (!flag_in(segment, "in_progress")) {
      const auto end = time_in(segment, "end_time");
      if (!end) return "a segment has no end_time and is not in progress";
      spans_.push_back(span_of(segment, id, parent, *start, *end));
    }
    const auto children = segment.find("subsegments");
    if (children == segment.end()) return std::nullopt;
    if (!children->is_array()) return "subsegments are no JSON array";
    for (const auto& child : *children) {
      if (auto wrong = read(child, id, depth + 1)) return wrong;
    }
    return std::nullopt;
  }

  std::vector<Span> take() && { return std::move(spans_); }

 private:
  Span span_of(const Json& segment,
               const std::string& id,
               const std::string& parent,
               std::chrono::nanoseconds start,
               std::chrono::nanoseconds end) const {
    Span span;
    span.trace_id = trace_id_;
    span.span_id = id;
    span.parent_id = parent;
    span.service = service_;
    span.name = cut(text_in(segment, "name"), kMaxSegmentName);
    span.start = start;
    span.end = std::max(start, end);
    const auto name_space = text_in(segment, "namespace");
    // What has a namespace is a call to somebody else: "aws" or "remote".
    if (!name_space.empty()) span.kind = SpanKind::client;
    read_http(segment, span);
    read_aws(segment, span);
    read_annotations(segment, span);
    read_cause(segment, span);
    return span;
  }

  const std::string trace_id_;
  const std::string& service_;
  std::vector<Span> spans_;
};

tl::expected<std::vector<Span>, std::string> spans_of(const Json& document,
                                                      const std::string& service) {
  if (!document.is_object()) return refused("the segment is no JSON object");
  auto trace_id = trace_id_of(text_in(document, "trace_id"));
  if (trace_id.empty()) return refused("trace_id is not 1-<8 hex>-<24 hex>");
  const auto parent = text_in(document, "parent_id");
  if (!parent.empty() && (parent.size() != kSegmentDigits || !is_hex(parent))) {
    return refused("parent_id is not 16 hexadecimal digits");
  }
  SegmentReader reader(std::move(trace_id), service);
  if (auto wrong = reader.read(document, parent, 0)) return refused(std::move(*wrong));
  return std::move(reader).take();
}

}  // namespace

std::string trace_id_of(std::string_view xray_id) {
  if (xray_id.size() != kTraceDigits + 3 || !xray_id.starts_with("1-") || xray_id[10] != '-') {
    return {};
  }
  std::string digits(xray_id.substr(2, 8));
  digits += xray_id.substr(11);
  return is_hex(digits) ? digits : std::string();
}

tl::expected<std::vector<Span>, std::string> parse_datagram(std::string_view datagram,
                                                            const std::string& service) try {
  if (datagram.size() > kMaxDatagramBytes) return refused("it is larger than 64 KB");
  const auto line = datagram.find('\n');
  if (line == std::string_view::npos) return refused("there is no line before the segment");
  const auto format = Json::parse(datagram.substr(0, line), nullptr, false);
  if (!format.is_object() || text_in(format, "format") != "json" ||
      format.value("version", Json()) != Json(1)) {
    return refused("its first line is not {\"format\":\"json\",\"version\":1}");
  }
  const auto body = datagram.substr(line + 1);
  if (!is_shallow(body)) return refused("its JSON nests too deep");
  const auto document = Json::parse(body, nullptr, false);
  if (document.is_discarded()) return refused("the segment is not JSON");
  return spans_of(document, service);
} catch (const Json::exception& broken) {
  return refused(std::string("the segment cannot be read: ") + broken.what());
}

}  // namespace emulator::report
