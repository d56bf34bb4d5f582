#include "emulator/control_plane/constraint_check.h"
#include "emulator/control_plane/model_shape.h"
#include "emulator/control_plane/service_model.h"
#include "emulator/control_plane/utf8_text.h"
#include "emulator/front_doors/request_target.h"
#include "emulator/functions/base64.h"
#include "emulator/invoke/json_syntax.h"

#include <nlohmann/json.hpp>

#include <charconv>
#include <cmath>
#include <limits>

// The texts for values of a wrong type are those of the deserialiser that other services of AWS
// with the same protocol have; for Lambda they are unverified (INF). That it is 400 with this name:
// DOC, the protocol's specification (Smithy, restJson1).
namespace emulator::control_plane {
namespace {

using Converted = tl::expected<Document, ServiceError>;

std::string_view java_type(ShapeType type) {
  switch (type) {
    case ShapeType::integer:
      return "an Integer";
    case ShapeType::long_integer:
      return "a Long";
    case ShapeType::floating:
      return "a Double";
    case ShapeType::boolean:
      return "a Boolean";
    case ShapeType::timestamp:
      return "a Timestamp";
    case ShapeType::blob:
      return "a Blob";
    default:
      return "a String";
  }
}

ServiceError wrong_type(const Document& value, ShapeType wanted) {
  if (value.is_array()) return serialization_failure("Start of list found where not expected");
  if (value.is_object()) {
    return serialization_failure("Start of structure or map found where not expected.");
  }
  if (wanted == ShapeType::structure || wanted == ShapeType::list || wanted == ShapeType::map) {
    return serialization_failure("Unexpected field type");
  }
  const std::string found = value.is_string()   ? "STRING_VALUE"
                            : value.is_number() ? "NUMBER_VALUE"
                            : value.is_boolean()
                                ? (value.get<bool>() ? "TRUE_VALUE" : "FALSE_VALUE")
                                : "NULL_VALUE";
  return serialization_failure(found + " can not be converted to " +
                               std::string(java_type(wanted)));
}

bool is_whole(const Document& value, double lowest, double highest) {
  if (value.is_number_unsigned()) return static_cast<double>(value.get<std::uint64_t>()) <= highest;
  const auto number = value.get<double>();
  return std::trunc(number) == number && number >= lowest && number <= highest;
}

// Below the powers of two, so that they are exact as doubles.
constexpr double kHighestLong = 9'223'372'036'854'774'784.0;

Converted whole_number(const Document& value, ShapeType wanted) {
  const bool is_long = wanted == ShapeType::long_integer;
  const double highest = is_long ? kHighestLong : std::numeric_limits<std::int32_t>::max();
  const double lowest = is_long ? -kHighestLong : std::numeric_limits<std::int32_t>::min();
  if (!value.is_number() || !is_whole(value, lowest, highest)) {
    return tl::unexpected(wrong_type(value, wanted));
  }
  return value.is_number_float() ? Document(static_cast<std::int64_t>(value.get<double>()))
                                 : Document(value.get<std::int64_t>());
}

Converted scalar(Document value, ShapeType wanted) {
  switch (wanted) {
    case ShapeType::integer:
    case ShapeType::long_integer:
      return whole_number(value, wanted);
    case ShapeType::floating:
    case ShapeType::timestamp:
      if (value.is_number()) return Document(value.get<double>());
      break;
    case ShapeType::boolean:
      if (value.is_boolean()) return value;
      break;
    default:
      if (value.is_string()) return value;
      break;
  }
  return tl::unexpected(wrong_type(value, wanted));
}

Converted converted(Document value, const ModelShape& shape);

Converted structure(Document value, const ModelShape& shape) {
  if (!value.is_object()) return tl::unexpected(wrong_type(value, shape.type));
  auto members = Document::object();
  for (const auto& member : shape.members) {
    const auto found = value.find(member.name);
    if (found == value.end() || found->is_null()) continue;
    auto inner = converted(std::move(*found), *member.shape);
    if (!inner) return inner;
    members[member.name] = std::move(*inner);
  }
  return members;
}

// Entries that are null stay, to be refused by name with the other constraints.
Converted collection(Document value, const ModelShape& shape) {
  const bool is_list = shape.type == ShapeType::list;
  if (is_list ? !value.is_array() : !value.is_object()) {
    return tl::unexpected(wrong_type(value, shape.type));
  }
  for (auto& entry : value) {
    if (entry.is_null()) continue;
    auto inner = converted(std::move(entry), *shape.element);
    if (!inner) return inner;
    entry = std::move(*inner);
  }
  return value;
}

Converted converted(Document value, const ModelShape& shape) {
  switch (shape.type) {
    case ShapeType::structure:
      return structure(std::move(value), shape);
    case ShapeType::list:
    case ShapeType::map:
      return collection(std::move(value), shape);
    default:
      return scalar(std::move(value), shape.type);
  }
}

// How many values a document has at least: one more than its commas. Strings are skipped, so that
// the megabytes of a package cost little.
std::size_t values_in(std::string_view json) {
  std::size_t values = 1;
  for (std::size_t at = 0; at < json.size(); ++at) {
    if (json[at] == ',' || json[at] == '[' || json[at] == '{') ++values;
    if (json[at] != '"') continue;
    for (++at; at < json.size() && json[at] != '"'; ++at) {
      if (json[at] == '\\') ++at;
    }
  }
  return values;
}

Converted parsed_body(const std::string& body) {
  if (body.find_first_not_of(" \t\r\n") == std::string::npos) return Document::object();
  if (const auto fault = invoke::find_json_fault(body)) {
    return tl::unexpected(serialization_failure(describe(*fault, body)));
  }
  if (values_in(body) > kMaxBodyValues) {
    return tl::unexpected(
        serialization_failure("the body has more than " + std::to_string(kMaxBodyValues) +
                              " values, which no request of this API needs; send fewer entries"));
  }
  // What is JSON and is refused all the same: a number that no double holds.
  auto json = Document::parse(body, nullptr, false);
  if (json.is_discarded()) {
    return tl::unexpected(serialization_failure("a number in the body is out of range"));
  }
  return json;
}

// A value of a path, a query or a header as the type that it is sent for.
Converted from_text(std::string text, const ModelShape& shape) {
  const auto* end = text.data() + text.size();
  switch (shape.type) {
    case ShapeType::integer:
    case ShapeType::long_integer: {
      std::int64_t number = 0;
      const auto [at, error] = std::from_chars(text.data(), end, number);
      if (error == std::errc{} && at == end) return whole_number(number, shape.type);
      break;
    }
    case ShapeType::boolean:
      if (text == "true") return Document(true);
      if (text == "false") return Document(false);
      break;
    default:
      return Document(utf8_text(std::move(text)));
  }
  return tl::unexpected(wrong_type(Document(""), shape.type));
}

std::vector<std::string> query_values(std::string_view query, std::string_view name) {
  std::vector<std::string> values;
  while (!query.empty()) {
    const auto end = query.find('&');
    if (auto value = front_doors::query_value(query.substr(0, end), name)) {
      values.push_back(std::move(*value));
    }
    query = end == std::string_view::npos ? std::string_view{} : query.substr(end + 1);
    if (values.size() > kMaxBodyValues) break;
  }
  return values;
}

tl::expected<void, ServiceError> read_query(const OperationMatch& match,
                                            const ModelMember& member,
                                            Document& input) {
  auto values = query_values(match.query, member.wire_name);
  if (values.empty()) return {};
  if (member.shape->type == ShapeType::list) {
    for (auto& value : values) input[member.name].push_back(utf8_text(std::move(value)));
    return {};
  }
  // A number that is left empty is not given.
  if (values.front().empty() && member.shape->type != ShapeType::string) return {};
  auto value = from_text(std::move(values.front()), *member.shape);
  if (!value) return tl::unexpected(std::move(value.error()));
  input[member.name] = std::move(*value);
  return {};
}

tl::expected<void, ServiceError> read_path(const OperationMatch& match,
                                           const ModelMember& member,
                                           Document& input) {
  for (const auto& [name, text] : match.path_members) {
    if (name != member.wire_name) continue;
    auto value = from_text(text, *member.shape);
    if (!value) return tl::unexpected(std::move(value.error()));
    input[member.name] = std::move(*value);
  }
  return {};
}

// What stands outside of the body.
tl::expected<void, ServiceError> read_outside(const OperationMatch& match,
                                              const front_doors::Request& request,
                                              const ModelMember& member,
                                              Document& input) {
  switch (member.location) {
    case MemberLocation::path:
      return read_path(match, member, input);
    case MemberLocation::query:
      return read_query(match, member, input);
    case MemberLocation::header:
      if (const auto text = front_doors::header_value(request, member.wire_name)) {
        auto value = from_text(std::string(*text), *member.shape);
        if (!value) return tl::unexpected(std::move(value.error()));
        input[member.name] = std::move(*value);
      }
      return {};
    case MemberLocation::payload:
      input[member.name] = functions::base64_encoded(request.body);
      return {};
    case MemberLocation::body:
    case MemberLocation::status_code:
      break;
  }
  return {};
}

}  // namespace

// By value, so that a large body is gone before the operation runs.
tl::expected<Document, ServiceError> read_input(
    const OperationMatch& match,
    // NOLINTNEXTLINE(performance-unnecessary-value-param)
    front_doors::Request request) {
  auto input = Document::object();
  const auto* shape = match.operation->input;
  if (shape == nullptr) return input;
  bool has_body = false;
  for (const auto& member : shape->members) {
    has_body = has_body || member.location == MemberLocation::body;
  }
  auto body = has_body ? parsed_body(request.body) : Converted(Document::object());
  if (!body) return body;
  if (!body->is_object()) return tl::unexpected(wrong_type(*body, ShapeType::structure));
  for (const auto& member : shape->members) {
    if (member.location != MemberLocation::body) {
      if (auto read = read_outside(match, request, member, input); !read) {
        return tl::unexpected(std::move(read.error()));
      }
      continue;
    }
    const auto found = body->find(member.name);
    if (found == body->end() || found->is_null()) continue;
    auto value = converted(std::move(*found), *member.shape);
    if (!value) return value;
    input[member.name] = std::move(*value);
  }
  if (auto checked = check_constraints(*shape, input); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  return input;
}

}  // namespace emulator::control_plane
