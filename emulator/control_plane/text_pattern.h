// The regular expressions of the service model, which are Java's and look ahead.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

struct pcre2_real_code_8;

namespace emulator::control_plane {

// Steps of the matcher before a text counts as one that does not match. Ours: model patterns need a
// few per character; the largest text that has a pattern is a policy of 20,480 characters.
inline constexpr std::uint32_t kMaxMatchSteps = 1'000'000;

// Any thread.
class TextPattern {
 public:
  explicit TextPattern(std::string text) : text_(std::move(text)) {}
  TextPattern(const TextPattern&) = delete;
  TextPattern& operator=(const TextPattern&) = delete;
  ~TextPattern();

  const std::string& text() const { return text_; }

  // Whether the pattern is a regular expression at all.
  bool is_valid() const { return compiled() != nullptr; }

  // Whether all of a UTF-8 text is what the pattern describes. Compiles it when first asked.
  bool matches(std::string_view subject) const;

 private:
  const pcre2_real_code_8* compiled() const;

  const std::string text_;
  mutable std::once_flag once_;
  mutable pcre2_real_code_8* code_ = nullptr;
};

}  // namespace emulator::control_plane
