#include "emulator/harness/json_difference.h"

#include "emulator/invoke/json_syntax.h"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

namespace emulator::harness {
namespace {

constexpr std::string_view kNothing = "nothing";

// Goes down both documents at once. The depth of the recursion is bounded by the path.
class Walk {
 public:
  Walk(std::span<const JsonPointer> ignored, std::size_t most_told)
      : ignored_(ignored), most_told_(most_told) {}

  void compare(std::string_view before, std::string_view after) {
    if (before == after || is_ignored()) return;
    const auto kind = json_kind(before);
    if (kind != json_kind(after) || path_.size() >= kDeepest) return tell(before, after);
    switch (kind) {
      case JsonKind::object:
        return compare_objects(before, after);
      case JsonKind::array:
        return compare_arrays(before, after);
      case JsonKind::number:
        if (!same_number(before, after)) tell(before, after);
        return;
      case JsonKind::string:
        if (unquoted(before) != unquoted(after)) tell(before, after);
        return;
      case JsonKind::literal:
      case JsonKind::none:
        tell(before, after);
    }
  }

  JsonDifferences take() { return std::move(found_); }

 private:
  static constexpr std::size_t kDeepest = invoke::kMaxJsonDepth + 1;

  using Members = std::map<std::string, std::string_view>;

  // Of several members of one name the last, as parsers take it.
  static Members members_of(std::string_view object) {
    Members members;
    for_each_member(object, [&](std::string_view name, std::string_view value) {
      members[unquoted(name).value_or(std::string(name))] = value;
      return true;
    });
    return members;
  }

  static std::vector<std::string_view> elements_of(std::string_view array) {
    std::vector<std::string_view> elements;
    for_each_element(array, [&](std::string_view value) {
      elements.push_back(value);
      return true;
    });
    return elements;
  }

  void compare_objects(std::string_view before, std::string_view after) {
    const auto were = members_of(before);
    auto are = members_of(after);
    for (const auto& [name, was] : were) {
      path_.push_back(name);
      if (const auto is = are.find(name); is == are.end()) {
        tell(was, std::nullopt);
      } else {
        compare(was, is->second);
        are.erase(is);
      }
      path_.pop_back();
    }
    for (const auto& [name, is] : are) {
      path_.push_back(name);
      tell(std::nullopt, is);
      path_.pop_back();
    }
  }

  void compare_arrays(std::string_view before, std::string_view after) {
    const auto were = elements_of(before);
    const auto are = elements_of(after);
    for (std::size_t i = 0; i < std::max(were.size(), are.size()); ++i) {
      path_.push_back(std::to_string(i));
      if (i < were.size() && i < are.size()) {
        compare(were[i], are[i]);
      } else if (i < were.size()) {
        tell(were[i], std::nullopt);
      } else {
        tell(std::nullopt, are[i]);
      }
      path_.pop_back();
    }
  }

  bool is_ignored() const {
    return std::any_of(ignored_.begin(), ignored_.end(), [&](const JsonPointer& pointer) {
      return std::equal(pointer.tokens().begin(),
                        pointer.tokens().end(),
                        path_.begin(),
                        path_.end(),
                        [](const std::string& token, const std::string& step) {
                          return token == "*" || token == step;
                        });
    });
  }

  void tell(std::optional<std::string_view> before, std::optional<std::string_view> after) {
    if (is_ignored()) return;
    ++found_.count;
    if (found_.first.size() >= most_told_) return;
    found_.first.push_back({.pointer = pointer_text(path_),
                            .before = shortened(before.value_or(kNothing)),
                            .after = shortened(after.value_or(kNothing))});
  }

  const std::span<const JsonPointer> ignored_;
  const std::size_t most_told_;
  std::vector<std::string> path_;
  JsonDifferences found_;
};

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r\n";
  const auto first = text.find_first_not_of(kBlanks);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlanks) - first + 1);
}

}  // namespace

JsonDifferences json_differences(std::string_view before,
                                 std::string_view after,
                                 std::span<const JsonPointer> ignored,
                                 std::size_t most_told) {
  Walk walk(ignored, most_told);
  walk.compare(without_blanks(before), without_blanks(after));
  return walk.take();
}

std::string shortened(std::string_view value) {
  if (value.size() <= kMaxToldValueBytes) return std::string(value);
  auto end = kMaxToldValueBytes;
  while (end > 0 && (static_cast<unsigned char>(value[end]) & 0xC0) == 0x80) --end;
  return std::string(value.substr(0, end)) + "…";
}

}  // namespace emulator::harness
