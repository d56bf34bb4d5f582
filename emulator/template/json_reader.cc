#include "emulator/template/json_reader.h"

#include "emulator/template/tree_builder.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace emulator::templates {
namespace {

using Json = nlohmann::json;

// Follows the parser through the text. The parser reports tokens without their places; since it
// has already accepted each one, the next token begins where blanks and separators end.
class Cursor {
 public:
  explicit Cursor(std::string_view text) : text_(text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\n') line_starts_.push_back(i + 1);
    }
  }

  void seek_token() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n,:").find(text_[at_]) != std::string_view::npos) {
      ++at_;
    }
    start_ = at_;
  }
  void skip(std::size_t length) { at_ = std::min(at_ + length, text_.size()); }
  void skip_string() {
    for (skip(1); at_ < text_.size() && text_[at_] != '"'; skip(1)) {
      if (text_[at_] == '\\') skip(1);
    }
    skip(1);
  }
  void skip_word() {
    while (at_ < text_.size() &&
           std::string_view(" \t\r\n,:]}").find(text_[at_]) == std::string_view::npos) {
      ++at_;
    }
  }

  Position position() const { return place_of(start_); }
  std::string_view token() const { return text_.substr(start_, at_ - start_); }

  Position place_of(std::size_t offset) const {
    const auto next = std::upper_bound(line_starts_.begin(), line_starts_.end(), offset);
    return {static_cast<int>(next - line_starts_.begin()),
            static_cast<int>(offset - *(next - 1)) + 1};
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> line_starts_ = {0};
  std::size_t at_ = 0;
  std::size_t start_ = 0;
};

class Reader {
 public:
  explicit Reader(std::string_view text) : cursor_(text) {}

  // The names and shapes below are those of nlohmann's SAX interface.
  bool null() {
    word();
    return go_on(builder_.null(opening()));
  }
  bool boolean(bool) { return plain(); }
  bool number_integer(Json::number_integer_t) { return plain(); }
  bool number_unsigned(Json::number_unsigned_t) { return plain(); }
  bool number_float(Json::number_float_t, const std::string&) { return plain(); }
  bool string(std::string& value) {
    cursor_.seek_token();
    cursor_.skip_string();
    return go_on(builder_.scalar(opening(), std::move(value)));
  }
  bool key(std::string& value) { return string(value); }
  bool binary(Json::binary_t&) { return false; }
  bool start_object(std::size_t) {
    bracket();
    return go_on(builder_.begin_map(opening()));
  }
  bool start_array(std::size_t) {
    bracket();
    return go_on(builder_.begin_list(opening()));
  }
  bool end_object() { return end(); }
  bool end_array() { return end(); }
  bool parse_error(std::size_t offset, const std::string&, const nlohmann::detail::exception& e) {
    std::string_view what = e.what();
    if (const auto detail = what.find("syntax error"); detail != std::string_view::npos) {
      what.remove_prefix(detail);
    }
    failure_ = TemplateError{"not valid JSON: " + std::string(what.substr(0, 300)),
                             cursor_.place_of(offset == 0 ? 0 : offset - 1),
                             {},
                             {}};
    return false;
  }

  tl::expected<Node, TemplateError> take() {
    if (failure_) return tl::unexpected(std::move(*failure_));
    if (!builder_.is_complete()) {
      return tl::unexpected(TemplateError{"the template ends too early", {}, {}, {}});
    }
    return builder_.take_root();
  }

 private:
  bool go_on(TreeBuilder::Failure failure) {
    failure_ = std::move(failure);
    return !failure_;
  }
  TreeBuilder::Opening opening() const { return {cursor_.position(), {}, 0}; }
  void word() {
    cursor_.seek_token();
    cursor_.skip_word();
  }
  void bracket() {
    cursor_.seek_token();
    cursor_.skip(1);
  }
  bool plain() {
    word();
    return go_on(builder_.scalar(opening(), std::string(cursor_.token())));
  }
  bool end() {
    bracket();
    return go_on(builder_.end());
  }

  Cursor cursor_;
  TreeBuilder builder_;
  TreeBuilder::Failure failure_;
};

}  // namespace

tl::expected<Node, TemplateError> read_json(std::string_view text) {
  if (text.starts_with("\xEF\xBB\xBF")) text.remove_prefix(3);
  Reader reader(text);
  try {
    Json::sax_parse(text.begin(), text.end(), &reader);
  } catch (const Json::exception& e) {
    return tl::unexpected(TemplateError{std::string("not valid JSON: ") + e.what(), {}, {}, {}});
  }
  return reader.take();
}

}  // namespace emulator::templates
