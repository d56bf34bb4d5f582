// Addresses of services on plain HTTP, as flags name them.
//
// Pure; any thread.
#pragma once

#include <tl/expected.hpp>

#include <string>
#include <string_view>

namespace emulator::app {

struct HttpAddress {
  std::string host;
  int port = 80;
  std::string path;  // no "/" at its end
  bool operator==(const HttpAddress&) const = default;
};

// "http://HOST[:PORT][/PATH]", an IPv6 address in brackets. Else what is wrong with it, as the end
// of a sentence.
tl::expected<HttpAddress, std::string> parse_http_address(std::string_view url);

// With its port, as requests are sent there.
std::string url_of(const HttpAddress& address);

}  // namespace emulator::app
