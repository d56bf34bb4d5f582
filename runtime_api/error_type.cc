#include "runtime_api/error_type.h"

namespace runtime_api {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_letter(char c) { return is_upper(c) || (c >= 'a' && c <= 'z'); }

bool holds_name_after(std::string_view text, std::string_view prefix) {
  for (auto at = text.find(prefix); at != std::string_view::npos; at = text.find(prefix, at + 1)) {
    const auto name = text.substr(at + prefix.size());
    if (name.size() >= 2 && is_upper(name[0]) && is_letter(name[1])) return true;
  }
  return false;
}

}  // namespace

std::string safe_error_type(std::string_view from_runtime) {
  if (holds_name_after(from_runtime, "Runtime.") || holds_name_after(from_runtime, "Function.")) {
    return std::string(from_runtime);
  }
  return from_runtime.starts_with("Function.") ? "Function.Unknown" : "Runtime.Unknown";
}

std::string safe_extension_error_type(std::string_view from_extension, std::string_view otherwise) {
  return std::string(holds_name_after(from_extension, "Extension.") ? from_extension : otherwise);
}

}  // namespace runtime_api
