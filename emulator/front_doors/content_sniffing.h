// What kind of content some bytes are, by their first bytes alone: the rules of the WHATWG MIME
// Sniffing standard in the selection that Go's net/http makes, because RIE, a Go program, labels
// every response that way and tools (AWS SAM CLI among them) look for "image" in the label.
//
// Pure; any thread.
#pragma once

#include <cstddef>
#include <string_view>

namespace emulator::front_doors {

// Bytes beyond these are not looked at. Source: the standard's "resource header".
inline constexpr std::size_t kSniffedBytes = 512;

// Never empty: "text/plain; charset=utf-8" for text and for no bytes at all,
// "application/octet-stream" for binary data of no known kind.
std::string_view sniffed_content_type(std::string_view body);

}  // namespace emulator::front_doors
