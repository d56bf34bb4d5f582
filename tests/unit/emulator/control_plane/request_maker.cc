#include "tests/unit/emulator/control_plane/request_maker.h"

#include "emulator/control_plane/text_pattern.h"
#include "emulator/control_plane/utf8_text.h"

#include <stdexcept>

namespace tests {
namespace {

using emulator::control_plane::MemberLocation;
using emulator::control_plane::ShapeType;

std::string percent_encoded(const std::string& text) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded.push_back(c);
    } else {
      encoded.push_back('%');
      encoded.push_back(kDigits[byte >> 4]);
      encoded.push_back(kDigits[byte & 15]);
    }
  }
  return encoded;
}

std::string as_text(const nlohmann::ordered_json& value) {
  return value.is_string()
             ? value.get<std::string>()
             : value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace

std::string RequestMaker::valid_text(const Shape& shape) {
  if (!shape.values.empty()) return shape.values[below(shape.values.size())];
  // From a place by chance, so that each that fits is taken now and then.
  const auto first = below(samples_.size());
  for (std::size_t i = 0; i < samples_.size(); ++i) {
    const auto& sample = samples_[(first + i) % samples_.size()];
    const auto length = static_cast<double>(emulator::control_plane::utf16_length(sample));
    if (shape.pattern && !shape.pattern->matches(sample)) continue;
    if (length < shape.min.value_or(0) || length > shape.max.value_or(1e9)) continue;
    return sample;
  }
  throw std::runtime_error("no sample fits " + shape.name);
}

RequestMaker::Document RequestMaker::valid_value(const Shape& shape) {
  switch (shape.type) {
    case ShapeType::structure: {
      auto value = Document::object();
      for (const auto& member : shape.members) {
        if (!member.required && chance(2)) continue;
        auto& made = value[member.name] = valid_value(*member.shape);
        // A query cannot say that a list is empty.
        if (made.is_array() && made.empty() && member.location == MemberLocation::query) {
          made.push_back(valid_value(*member.shape->element));
        }
      }
      return value;
    }
    case ShapeType::list: {
      auto value = Document::array();
      const auto least = static_cast<std::size_t>(shape.min.value_or(0));
      const auto most = static_cast<std::size_t>(std::min(shape.max.value_or(3), 3.0));
      const auto count = least + (most > least ? below(most - least + 1) : 0);
      for (std::size_t i = 0; i < count; ++i) value.push_back(valid_value(*shape.element));
      return value;
    }
    case ShapeType::map: {
      auto value = Document::object();
      const auto count = static_cast<std::size_t>(shape.min.value_or(0)) + below(2);
      for (std::size_t i = 0; i < count; ++i) {
        value[valid_text(*shape.key)] = valid_value(*shape.element);
      }
      return value;
    }
    case ShapeType::integer:
    case ShapeType::long_integer: {
      const auto least = static_cast<std::int64_t>(shape.min.value_or(0));
      const auto most = static_cast<std::int64_t>(shape.max.value_or(1000));
      return least + static_cast<std::int64_t>(below(static_cast<std::size_t>(most - least) + 1));
    }
    case ShapeType::floating:
      return shape.min.value_or(0) + (shape.max.value_or(1) - shape.min.value_or(0)) *
                                         static_cast<double>(below(100)) / 100;
    case ShapeType::boolean:
      return chance(2);
    case ShapeType::timestamp:
      return static_cast<double>(below(2'000'000'000));
    case ShapeType::blob:
      return samples_.front();
    case ShapeType::string:
      break;
  }
  return valid_text(shape);
}

RequestMaker::Document RequestMaker::valid_input(const Operation& operation) {
  return operation.input == nullptr ? Document::object() : valid_value(*operation.input);
}

MadeRequest RequestMaker::request_of(const Operation& operation, const Document& input) {
  MadeRequest request{operation.method, operation.path, ""};
  auto body = Document::object();
  std::string query;
  if (operation.input == nullptr) return request;
  for (const auto& member : operation.input->members) {
    const auto given = input.find(member.name);
    const bool is_given = given != input.end();
    if (member.location == MemberLocation::path) {
      const auto label = "{" + member.wire_name + "}";
      const auto at = request.target.find(label);
      const auto text = is_given ? as_text(*given) : std::string();
      request.target.replace(at, label.size(), percent_encoded(text));
    } else if (!is_given) {
      continue;
    } else if (member.location == MemberLocation::query) {
      const auto values = given->is_array() ? *given : Document::array({*given});
      for (const auto& value : values) {
        query.append(query.empty() ? "" : "&");
        query.append(member.wire_name).append("=").append(percent_encoded(as_text(value)));
      }
    } else {
      body[member.name] = *given;
    }
  }
  for (const auto& [name, value] : input.items()) {
    if (name.starts_with("Unknown")) body[name] = value;
  }
  if (!query.empty()) {
    request.target.append(request.target.find('?') == std::string::npos ? "?" : "&").append(query);
  }
  if (!body.empty()) {
    request.body = body.dump(-1, ' ', false, Document::error_handler_t::replace);
  }
  return request;
}

// ---- Everything that can be wrong.

std::string RequestMaker::strange_text() {
  switch (below(12)) {
    case 0:
      return "";
    case 1:
      return std::string(1 + below(3000), 'x');
    case 2:
      return std::string("a\0b", 3);
    case 3:
      return "../../../etc/passwd";
    case 4:
      return "a:b:c:d:e:f:g:h:i";
    case 5:
      return "\xf0\x9f\x94\xa5\xe2\x82\xac";
    case 6:
      return "arn:aws:lambda:us-east-1:123456789012:function:";
    case 7:
      return "999999999999999999999999999999";
    case 8:
      return "$LATEST";
    case 9:
      return "arn:aws:lambda:eu-west-1:210987654321:function:other:1";
    case 10:
      return "%s%n{}\r\n\"'\\";
    default: {
      // A good one, with one place changed.
      auto text = samples_[1 + below(samples_.size() - 1)];
      if (!text.empty()) text[below(text.size())] = static_cast<char>(' ' + below(95));
      return text;
    }
  }
}

RequestMaker::Document RequestMaker::strange_value() {
  switch (below(14)) {
    case 0:
      return nullptr;
    case 1:
      return true;
    case 2:
      return -1;
    case 3:
      return 0;
    case 4:
      return INT64_MAX;
    case 5:
      return UINT64_MAX;
    case 6:
      return 1e308;
    case 7:
      return 0.5;
    case 8:
      return Document::object();
    case 9:
      return Document::array();
    case 10:
      return Document{{strange_text(), strange_text()}};
    case 11:
      return Document::array({nullptr, 1, strange_text()});
    default:
      return strange_text();
  }
}

// One value somewhere in a document.
void RequestMaker::spoil_inside(Document& value) {
  if ((value.is_object() || value.is_array()) && !value.empty() && !chance(3)) {
    auto entry = value.begin();
    std::advance(entry, static_cast<std::ptrdiff_t>(below(value.size())));
    if (chance(6)) {
      value.erase(entry);
    } else {
      spoil_inside(*entry);
    }
    return;
  }
  value = value.is_string() && chance(2) ? Document(strange_text()) : strange_value();
}

void RequestMaker::spoil_input(const Operation& operation, Document& input) {
  if (operation.input == nullptr || operation.input->members.empty()) return;
  const auto& members = operation.input->members;
  for (auto left = 1 + below(3); left > 0; --left) {
    const auto& member = members[below(members.size())];
    if (chance(5)) {
      input.erase(member.name);
    } else if (chance(3) || !input.contains(member.name)) {
      input[member.name] = strange_value();
    } else {
      spoil_inside(input[member.name]);
    }
  }
  if (chance(4)) input["Unknown" + strange_text()] = strange_value();
}

std::string RequestMaker::strange_body(std::string body) {
  switch (below(9)) {
    case 0:
      return body.substr(0, below(body.size() + 1));
    case 1:
      if (!body.empty()) body[below(body.size())] = static_cast<char>(below(256));
      return body;
    case 2:
      return body + "\xff\xfe";
    case 3:
      return "null";
    case 4:
      return std::string(1 + below(4000), chance(2) ? '[' : '{');
    case 5:
      return R"({"Description":)" + std::string(900, '[') + std::string(900, ']') + "}";
    case 6:
      return R"({"Timeout":1e400,"MemorySize":-1e400})";
    case 7:
      return std::string(below(64), '\0');
    default:
      return "<xml/>";
  }
}

void RequestMaker::spoil_wire(MadeRequest& request) {
  static const char* const kGarbage[] = {"%",
                                         "%zz",
                                         "%00",
                                         "%ff%fe",
                                         "%2F",
                                         "//",
                                         "?",
                                         "&&=",
                                         "#",
                                         "%25%32",
                                         "\x80",
                                         ";",
                                         "+",
                                         "%2e%2e"};
  switch (below(4)) {
    case 0:
      request.body = strange_body(std::move(request.body));
      break;
    case 1:
      request.target.insert(below(request.target.size() + 1), kGarbage[below(std::size(kGarbage))]);
      break;
    case 2:
      request.target.erase(1 + below(request.target.size()), 1 + below(8));
      break;
    default:
      request.target.append(chance(2) ? "&" : "?").append(strange_text());
      break;
  }
}

MadeRequest RequestMaker::broken(const Operation& operation) {
  auto input = valid_input(operation);
  if (!chance(4)) spoil_input(operation, input);
  auto request = request_of(operation, input);
  if (chance(3)) spoil_wire(request);
  return request;
}

}  // namespace tests
