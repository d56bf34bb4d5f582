// Values inside a JSON document, found in its bytes without building it. The harness looks into
// events and responses a million times over, mostly for one member; a tree would cost more than the
// invocation.
//
// Every function accepts any bytes and reads none twice on one level; what is no JSON gives
// nothing. Whether a document is valid is for invoke::find_json_fault to say.
//
// Pure; any thread.
#pragma once

#include "emulator/harness/harness_error.h"

#include <tl/expected.hpp>

#include <cstddef>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::harness {

// Tokens of a pointer. Our choice: as deep as a document may be.
inline constexpr std::size_t kMaxPointerTokens = 1000;

// RFC 6901: "" is the whole document, "/a/0/b~1c" goes down.
class JsonPointer {
 public:
  static tl::expected<JsonPointer, HarnessError> parse(std::string_view text);

  const std::vector<std::string>& tokens() const { return tokens_; }

 private:
  std::vector<std::string> tokens_;
};

// "/a/b~1c" of the tokens.
std::string pointer_text(std::span<const std::string> tokens);

enum class JsonKind { object, array, string, number, literal, none };

// By the first byte behind white space.
JsonKind json_kind(std::string_view value);

// The bytes of the value that the tokens lead to, without white space around them. Of several
// members of one name the first.
std::optional<std::string_view> find_value(std::string_view document,
                                           std::span<const std::string> tokens);
std::optional<std::string_view> find_value(std::string_view document,
                                           std::initializer_list<std::string_view> tokens);

// Calls `visit` with the name (as it stands, escapes and all) and the bytes of each member, in
// order, until it returns false. False when `object` is no whole object.
bool for_each_member(
    std::string_view object,
    const std::function<bool(std::string_view raw_name, std::string_view value)>& visit);

// The same for the elements of an array.
bool for_each_element(std::string_view array,
                      const std::function<bool(std::string_view value)>& visit);

// What a string in quotes stands for, as UTF-8; a half of a surrogate pair alone keeps a form of
// its own. nullopt when `raw` is no string.
std::optional<std::string> unquoted(std::string_view raw);

// `text` as a JSON string, in quotes. Bytes that are not UTF-8 become the replacement character.
std::string json_string(std::string_view text);

// Whether two JSON numbers have the same value, however long and however written: 1, 1.0 and 10e-1.
bool same_number(std::string_view a, std::string_view b);

}  // namespace emulator::harness
