#include "emulator/app/http_address.h"

#include <charconv>
#include <system_error>

namespace emulator::app {
namespace {

tl::unexpected<std::string> wrong(std::string why) { return tl::unexpected(std::move(why)); }

}  // namespace

tl::expected<HttpAddress, std::string> parse_http_address(std::string_view url) {
  constexpr std::string_view kScheme = "http://";
  if (!url.starts_with(kScheme)) return wrong("the address is not one of http");
  HttpAddress address;
  auto rest = url.substr(kScheme.size());
  const auto authority = rest.substr(0, rest.find('/'));
  rest.remove_prefix(authority.size());
  if (rest.find_first_of("?# \t\r\n") != std::string_view::npos) {
    return wrong("the path has a query, a fragment or a space");
  }
  while (rest.ends_with('/')) rest.remove_suffix(1);
  address.path = rest;
  std::string_view port;
  if (authority.starts_with('[')) {
    const auto end = authority.find(']');
    if (end == std::string_view::npos) return wrong("a ] is missing");
    address.host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
  } else {
    const auto colon = authority.find(':');
    address.host = authority.substr(0, colon);
    if (colon != std::string_view::npos) port = authority.substr(colon);
  }
  if (address.host.empty() || address.host.find_first_of("@ \t\r\n") != std::string::npos) {
    return wrong("the address has no host");
  }
  if (port.empty()) return address;
  const auto* const end = port.data() + port.size();
  const auto [stop, error] = std::from_chars(port.data() + 1, end, address.port);
  if (port[0] != ':' || error != std::errc() || stop != end || address.port < 1 ||
      address.port > 65'535) {
    return wrong("the port is no number from 1 to 65535");
  }
  return address;
}

std::string url_of(const HttpAddress& address) {
  const bool ipv6 = address.host.find(':') != std::string::npos;
  return "http://" + (ipv6 ? "[" + address.host + "]" : address.host) + ":" +
         std::to_string(address.port) + address.path;
}

}  // namespace emulator::app
