#define PCRE2_CODE_UNIT_WIDTH 8
#include "emulator/control_plane/text_pattern.h"

#include <memory>
#include <pcre2.h>

namespace emulator::control_plane {
namespace {

template <typename Object, void (*kFree)(Object*)>
struct Freer {
  void operator()(Object* object) const { kFree(object); }
};
using CompileContext = std::unique_ptr<pcre2_compile_context,
                                       Freer<pcre2_compile_context, pcre2_compile_context_free>>;
using MatchContext =
    std::unique_ptr<pcre2_match_context, Freer<pcre2_match_context, pcre2_match_context_free>>;
using MatchData = std::unique_ptr<pcre2_match_data, Freer<pcre2_match_data, pcre2_match_data_free>>;

// Java's dot stops at every kind of line end.
pcre2_code* compile(const std::string& text) {
  const CompileContext context(pcre2_compile_context_create(nullptr));
  if (!context) return nullptr;
  pcre2_set_newline(context.get(), PCRE2_NEWLINE_ANY);
  int error = 0;
  PCRE2_SIZE offset = 0;
  return pcre2_compile(reinterpret_cast<PCRE2_SPTR>(text.data()),
                       text.size(),
                       PCRE2_UTF | PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_DOLLAR_ENDONLY,
                       &error,
                       &offset,
                       context.get());
}

}  // namespace

TextPattern::~TextPattern() { pcre2_code_free(code_); }

const pcre2_real_code_8* TextPattern::compiled() const {
  std::call_once(once_, [this] { code_ = compile(text_); });
  return code_;
}

bool TextPattern::matches(std::string_view subject) const {
  const auto* code = compiled();
  if (code == nullptr) return false;
  const MatchContext context(pcre2_match_context_create(nullptr));
  const MatchData data(pcre2_match_data_create(1, nullptr));
  if (!context || !data) return false;
  pcre2_set_match_limit(context.get(), kMaxMatchSteps);
  // More than 0 for a match, 0 for one with more groups than there was room for; everything else,
  // the limits and broken UTF-8 among it, is none.
  return pcre2_match(code,
                     reinterpret_cast<PCRE2_SPTR>(subject.data()),
                     subject.size(),
                     0,
                     0,
                     data.get(),
                     context.get()) >= 0;
}

}  // namespace emulator::control_plane
