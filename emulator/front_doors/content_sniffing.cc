#include "emulator/front_doors/content_sniffing.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace emulator::front_doors {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kBinary = "application/octet-stream";

// Upper case here; compared without regard to case, after leading white space.
constexpr std::array kHtmlTags = {"<!DOCTYPE HTML"sv,
                                  "<HTML"sv,
                                  "<HEAD"sv,
                                  "<SCRIPT"sv,
                                  "<IFRAME"sv,
                                  "<H1"sv,
                                  "<DIV"sv,
                                  "<FONT"sv,
                                  "<TABLE"sv,
                                  "<A"sv,
                                  "<STYLE"sv,
                                  "<TITLE"sv,
                                  "<B"sv,
                                  "<BODY"sv,
                                  "<BR"sv,
                                  "<P"sv,
                                  "<!--"sv};

// A pattern in which '?' at the places of `any` (a bit each) stands for every byte.
struct Signature {
  std::string_view pattern;
  std::string_view type;
  std::uint32_t any = 0;
};

constexpr std::uint32_t bits(unsigned first, unsigned last) {
  std::uint32_t mask = 0;
  for (unsigned bit = first; bit <= last; ++bit) mask |= 1U << bit;
  return mask;
}

// In the order in which they are tried: documents and byte order marks, images, sound and film.
constexpr std::array kBeforeMp4 = {
    Signature{"%PDF-"sv, "application/pdf"sv},
    Signature{"%!PS-Adobe-"sv, "application/postscript"sv},
    Signature{"\xFE\xFF??"sv, "text/plain; charset=utf-16be"sv, bits(2, 3)},
    Signature{"\xFF\xFE??"sv, "text/plain; charset=utf-16le"sv, bits(2, 3)},
    Signature{"\xEF\xBB\xBF?"sv, "text/plain; charset=utf-8"sv, bits(3, 3)},
    Signature{"\x00\x00\x01\x00"sv, "image/x-icon"sv},
    Signature{"\x00\x00\x02\x00"sv, "image/x-icon"sv},
    Signature{"BM"sv, "image/bmp"sv},
    Signature{"GIF87a"sv, "image/gif"sv},
    Signature{"GIF89a"sv, "image/gif"sv},
    Signature{"RIFF????WEBPVP"sv, "image/webp"sv, bits(4, 7)},
    Signature{"\x89PNG\r\n\x1A\n"sv, "image/png"sv},
    Signature{"\xFF\xD8\xFF"sv, "image/jpeg"sv},
    Signature{"FORM????AIFF"sv, "audio/aiff"sv, bits(4, 7)},
    Signature{"ID3"sv, "audio/mpeg"sv},
    Signature{"OggS\x00"sv, "application/ogg"sv},
    Signature{"MThd\x00\x00\x00\x06"sv, "audio/midi"sv},
    Signature{"RIFF????AVI "sv, "video/avi"sv, bits(4, 7)},
    Signature{"RIFF????WAVE"sv, "audio/wave"sv, bits(4, 7)},
};

// After the MP4 box: more film, fonts, archives, WebAssembly.
constexpr std::array kAfterMp4 = {
    Signature{"\x1A\x45\xDF\xA3"sv, "video/webm"sv},
    Signature{"??????????????????????????????????"
              "LP"sv,
              "application/vnd.ms-fontobject"sv,
              0xFFFFFFFFU},
    Signature{"\x00\x01\x00\x00"sv, "font/ttf"sv},
    Signature{"OTTO"sv, "font/otf"sv},
    Signature{"ttcf"sv, "font/collection"sv},
    Signature{"wOFF"sv, "font/woff"sv},
    Signature{"wOF2"sv, "font/woff2"sv},
    Signature{"\x1F\x8B\x08"sv, "application/x-gzip"sv},
    Signature{"PK\x03\x04"sv, "application/zip"sv},
    Signature{"Rar!\x1A\x07\x00"sv, "application/x-rar-compressed"sv},
    Signature{"Rar!\x1A\x07\x01\x00"sv, "application/x-rar-compressed"sv},
    Signature{"\x00\x61\x73\x6D"sv, "application/wasm"sv},
};

// The embedded font's mark stands behind 34 bytes of any value, more than `any` has bits for.
constexpr std::size_t kFontMarkAt = 34;

bool matches(std::string_view data, const Signature& signature) {
  const auto& pattern = signature.pattern;
  if (data.size() < pattern.size()) return false;
  if (pattern.size() > kFontMarkAt) {
    return data.substr(kFontMarkAt, 2) == pattern.substr(kFontMarkAt);
  }
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    if ((signature.any >> i & 1U) == 0 && data[i] != pattern[i]) return false;
  }
  return true;
}

template <std::size_t N>
std::string_view first_match(std::string_view data, const std::array<Signature, N>& signatures) {
  for (const auto& signature : signatures) {
    if (matches(data, signature)) return signature.type;
  }
  return {};
}

bool starts_html(std::string_view text) {
  return std::any_of(kHtmlTags.begin(), kHtmlTags.end(), [text](std::string_view tag) {
    if (text.size() <= tag.size()) return false;
    for (std::size_t i = 0; i < tag.size(); ++i) {
      const char c = text[i];
      if ((c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c) != tag[i]) return false;
    }
    return text[tag.size()] == ' ' || text[tag.size()] == '>';
  });
}

// The standard's "signature for MP4": a first box "ftyp" that names a brand beginning with "mp4".
bool is_mp4(std::string_view data) {
  if (data.size() < 12) return false;
  std::size_t box = 0;
  for (std::size_t i = 0; i < 4; ++i) box = box << 8U | static_cast<unsigned char>(data[i]);
  if (data.size() < box || box % 4 != 0 || data.substr(4, 4) != "ftyp") return false;
  for (std::size_t at = 8; at + 3 <= box; at += 4) {
    if (at != 12 && data.substr(at, 3) == "mp4") return true;  // at 12 stands the minor version
  }
  return false;
}

bool is_binary_byte(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte <= 0x08 || byte == 0x0B || (byte >= 0x0E && byte <= 0x1A) ||
         (byte >= 0x1C && byte <= 0x1F);
}

}  // namespace

std::string_view sniffed_content_type(std::string_view body) {
  const auto data = body.substr(0, kSniffedBytes);
  const auto first = data.find_first_not_of("\t\n\f\r ");
  const auto text = first == std::string_view::npos ? std::string_view{} : data.substr(first);
  if (starts_html(text)) return "text/html; charset=utf-8";
  if (text.starts_with("<?xml")) return "text/xml; charset=utf-8";
  if (const auto type = first_match(data, kBeforeMp4); !type.empty()) return type;
  if (is_mp4(data)) return "video/mp4";
  if (const auto type = first_match(data, kAfterMp4); !type.empty()) return type;
  return std::any_of(data.begin(), data.end(), is_binary_byte) ? kBinary : kText;
}

}  // namespace emulator::front_doors
