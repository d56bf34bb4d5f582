#include "emulator/control_plane/constraint_check.h"

#include "emulator/control_plane/text_pattern.h"
#include "emulator/control_plane/utf8_text.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace emulator::control_plane {
namespace {

// "functionName"
std::string shown_name(std::string name) {
  if (!name.empty() && name[0] >= 'A' && name[0] <= 'Z') name[0] = static_cast<char>(name[0] + 32);
  return name;
}

// A value as Java's toString gives it. Stops when it is longer than a message shows.
void append_value(const Document& value, std::string& text) {
  if (text.size() > kMaxShownValueBytes) return;
  if (value.is_string()) {
    text.append(cut_utf8(value.get_ref<const std::string&>(), kMaxShownValueBytes));
  } else if (value.is_array()) {
    text.push_back('[');
    for (std::size_t i = 0; i < value.size(); ++i) {
      if (i > 0) text.append(", ");
      append_value(value[i], text);
    }
    text.push_back(']');
  } else if (value.is_object()) {
    text.push_back('{');
    bool first = true;
    for (const auto& [key, entry] : value.items()) {
      if (!first) text.append(", ");
      first = false;
      text.append(cut_utf8(key, kMaxShownValueBytes)).push_back('=');
      append_value(entry, text);
    }
    text.push_back('}');
  } else {
    text.append(value.dump());
  }
}

std::string limit_text(const ModelShape& shape, double limit) {
  return shape.type == ShapeType::floating
             ? Document(limit).dump()
             : Document(static_cast<std::int64_t>(std::llround(limit))).dump();
}

bool is_number(const ModelShape& shape) {
  return shape.type == ShapeType::integer || shape.type == ShapeType::long_integer ||
         shape.type == ShapeType::floating;
}

// What min and max are about.
std::optional<double> measure(const ModelShape& shape, const Document& value) {
  if (is_number(shape)) return value.get<double>();
  if (shape.type == ShapeType::string) {
    return static_cast<double>(utf16_length(value.get_ref<const std::string&>()));
  }
  if (shape.type == ShapeType::list || shape.type == ShapeType::map) {
    return static_cast<double>(value.size());
  }
  return std::nullopt;  // blobs are for who decodes them
}

struct Constraint {
  std::string text;  // "Member must have length less than or equal to 64"
  bool holds = true;
};

Constraint pattern_constraint(const ModelShape& shape, const Document& value) {
  return {"Member must satisfy regular expression pattern: " + shape.pattern->text(),
          shape.pattern->matches(value.get_ref<const std::string&>())};
}

Constraint values_constraint(const ModelShape& shape, const Document& value) {
  std::string set;
  for (const auto& known : shape.values) set.append(set.empty() ? "" : ", ").append(known);
  return {
      "Member must satisfy enum value set: [" + set + "]",
      std::find(shape.values.begin(), shape.values.end(), value.get_ref<const std::string&>()) !=
          shape.values.end()};
}

enum class Order { pattern_first, lengths_first };

// All constraints of a scalar or of a collection as a whole.
std::vector<Constraint> constraints_of(const ModelShape& shape,
                                       const Document& value,
                                       Order order) {
  std::vector<Constraint> constraints;
  const bool has_text = shape.type == ShapeType::string;
  const auto add_pattern = [&] {
    if (has_text && shape.pattern) constraints.push_back(pattern_constraint(shape, value));
  };
  if (order == Order::pattern_first) add_pattern();
  if (const auto size = measure(shape, value)) {
    const std::string what =
        is_number(shape) ? "Member must have value " : "Member must have length ";
    if (shape.max) {
      constraints.push_back(
          {what + "less than or equal to " + limit_text(shape, *shape.max), *size <= *shape.max});
    }
    if (shape.min) {
      constraints.push_back({what + "greater than or equal to " + limit_text(shape, *shape.min),
                             *size >= *shape.min});
    }
  }
  if (order == Order::lengths_first) add_pattern();
  if (has_text && !shape.values.empty()) constraints.push_back(values_constraint(shape, value));
  return constraints;
}

class Check {
 public:
  std::size_t count() const { return count_; }

  void structure(const ModelShape& shape, const Document& value, const std::string& path) {
    for (const auto& member : shape.members) {
      const auto name = path + shown_name(member.name);
      const auto found = value.find(member.name);
      if (found != value.end()) {
        this->value(*member.shape, *found, name);
      } else if (member.required) {
        add("Value null at '" + name + "'", "Member must not be null");
      }
    }
  }

  tl::expected<void, ServiceError> result() const {
    if (count_ == 0) return {};
    ServiceError error;
    error.exception = "ValidationException";
    error.type = {};
    error.message = std::to_string(count_) + " validation error" + (count_ == 1 ? "" : "s") +
                    " detected: " + text_;
    return tl::unexpected(std::move(error));
  }

 private:
  void value(const ModelShape& shape, const Document& value, const std::string& name) {
    for (const auto& constraint : constraints_of(shape, value, Order::pattern_first)) {
      if (!constraint.holds) add(subject(shape, value, name), constraint.text);
    }
    switch (shape.type) {
      case ShapeType::structure:
        structure(shape, value, name + ".");
        break;
      case ShapeType::list:
        entries(shape, value, name);
        break;
      case ShapeType::map:
        keys(shape, value, name);
        entries(shape, value, name);
        break;
      default:
        break;
    }
  }

  // Entries that are structures are named one by one; of others the collection is refused as a
  // whole, with all that an entry has to be.
  void entries(const ModelShape& shape, const Document& value, const std::string& name) {
    const bool is_map = shape.type == ShapeType::map;
    const bool has_null =
        std::any_of(value.begin(), value.end(), [](const auto& entry) { return entry.is_null(); });
    if (shape.element->type == ShapeType::structure && !has_null) {
      std::size_t number = 0;
      for (const auto& [key, entry] : value.items()) {
        ++number;
        const auto place =
            is_map ? "." + key + ".member." : "." + std::to_string(number) + ".member.";
        structure(*shape.element, entry, name + place);
      }
      return;
    }
    for (const auto& entry : value) {
      if (entry.is_null() || !all_hold(*shape.element, entry)) {
        add(subject(shape, value, name),
            std::string(is_map ? "Map value" : "Member") +
                " must satisfy constraint: " + list_of(*shape.element, entry));
        break;
      }
      if (!is_map || shape.element->element == nullptr) continue;
      entries(*shape.element, entry, name);
    }
  }

  void keys(const ModelShape& shape, const Document& value, const std::string& name) {
    for (const auto& [key, _] : value.items()) {
      const Document text = key;
      if (all_hold(*shape.key, text)) continue;
      add(subject(shape, value, name),
          "Map keys must satisfy constraint: " + list_of(*shape.key, text));
      return;
    }
  }

  static bool all_hold(const ModelShape& shape, const Document& value) {
    const auto constraints = constraints_of(shape, value, Order::lengths_first);
    return std::all_of(constraints.begin(), constraints.end(), [](const auto& constraint) {
      return constraint.holds;
    });
  }

  static std::string list_of(const ModelShape& shape, const Document& value) {
    std::string list = "[";
    // A value of the right type in place of null, for the constraints' texts.
    const auto sample = value.is_null() ? Document("") : value;
    if (!value.is_null() || shape.type == ShapeType::string) {
      for (const auto& constraint : constraints_of(shape, sample, Order::lengths_first)) {
        list.append(constraint.text).append(", ");
      }
    }
    return list.append("Member must not be null]");
  }

  static bool is_sensitive(const ModelShape& shape) {
    return shape.sensitive || (shape.key != nullptr && shape.key->sensitive) ||
           (shape.element != nullptr && shape.element->sensitive);
  }

  static std::string subject(const ModelShape& shape,
                             const Document& value,
                             const std::string& name) {
    const auto at = " at '" + std::string(cut_utf8(name, kMaxShownValueBytes)) + "'";
    if (is_sensitive(shape)) return "Value" + at;
    std::string text;
    append_value(value, text);
    return "Value '" + std::string(cut_utf8(text, kMaxShownValueBytes)) + "'" + at;
  }

  void add(const std::string& subject, const std::string& constraint) {
    if (++count_ > kMaxShownViolations) return;
    if (!text_.empty()) text_.append("; ");
    text_.append(subject).append(" failed to satisfy constraint: ").append(constraint);
  }

  std::size_t count_ = 0;
  std::string text_;
};

// Another part of the service looks at a function's runtime. Source: recorded.
std::optional<ServiceError> unknown_runtime(const ModelShape& shape, const Document& input) {
  const auto given = input.find("Runtime");
  if (given == input.end() || !given->is_string()) return std::nullopt;
  for (const auto& member : shape.members) {
    if (member.name != "Runtime") continue;
    const auto constraint = values_constraint(*member.shape, *given);
    if (constraint.holds) return std::nullopt;
    return invalid_parameter_value(
        "Value " + given->get<std::string>() +
        " at 'runtime' failed to satisfy constraint: " + constraint.text + " or be a valid ARN");
  }
  return std::nullopt;
}

}  // namespace

tl::expected<void, ServiceError> check_constraints(const ModelShape& shape, const Document& input) {
  Check check;
  check.structure(shape, input, "");
  if (check.count() == 1) {
    if (auto refused = unknown_runtime(shape, input)) return tl::unexpected(std::move(*refused));
  }
  return check.result();
}

}  // namespace emulator::control_plane
