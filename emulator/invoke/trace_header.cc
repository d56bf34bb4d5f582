#include "emulator/invoke/trace_header.h"

#include <algorithm>
#include <utility>

namespace emulator::invoke {
namespace {

constexpr std::size_t kSegmentDigits = 16;
// 1-<8>-<24>
constexpr std::size_t kRootLength = 35;

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
  });
}

std::string lower(std::string_view text) {
  std::string result(text);
  for (auto& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

bool is_root(std::string_view text) {
  return text.size() == kRootLength && text.starts_with("1-") && text[10] == '-' &&
         is_hex(text.substr(2, 8)) && is_hex(text.substr(11));
}

// It goes on into headers of ours, so nothing that ends one may stand in it.
bool is_lineage(std::string_view text) {
  return text.size() <= kMaxLineageBytes && std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == ':' || c == '|' || c == '-' || c == '_' || c == '.' || c == ',';
         });
}

void take(std::string_view name, std::string_view value, TraceHeader& into) {
  const auto key = lower(name);
  if (key == "root") {
    auto root = lower(value);
    if (is_root(root)) into.root = std::move(root);
  } else if (key == "parent") {
    auto parent = lower(value);
    if (parent.size() == kSegmentDigits && is_hex(parent)) into.parent = std::move(parent);
  } else if (key == "sampled") {
    if (value == "1") into.sampled = true;
    if (value == "0") into.sampled = false;
  } else if (key == "lineage") {
    if (is_lineage(value)) into.lineage = value;
  }
}

}  // namespace

std::optional<TraceHeader> parse_trace_header(std::string_view text) {
  if (text.size() > kMaxTraceHeaderBytes) return std::nullopt;
  TraceHeader header;
  while (!text.empty()) {
    const auto end = std::min(text.find(';'), text.size());
    const auto field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    const auto equals = field.find('=');
    if (equals == std::string_view::npos) continue;
    take(trimmed(field.substr(0, equals)), trimmed(field.substr(equals + 1)), header);
  }
  if (header.root.empty()) return std::nullopt;
  return header;
}

std::string text_of(const TraceHeader& header) {
  std::string text = "Root=" + header.root;
  if (!header.parent.empty()) text += ";Parent=" + header.parent;
  if (header.sampled) text += *header.sampled ? ";Sampled=1" : ";Sampled=0";
  if (!header.lineage.empty()) text += ";Lineage=" + header.lineage;
  return text;
}

}  // namespace emulator::invoke
