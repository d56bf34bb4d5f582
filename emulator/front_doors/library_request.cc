#include "emulator/front_doors/library_request.h"

#include <httplib.h>

#include <charconv>
#include <limits>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace emulator::front_doors {
namespace {

// Set before the name of a header that the library must not see; no request can contain it there.
constexpr char kSetAside = '\x01';

const std::string kContentLength = "Content-Length";
const std::string kTransferEncoding = "Transfer-Encoding";
const std::string kContentEncoding = "Content-Encoding";
const std::string kContentType = "Content-Type";

void set_aside(httplib::Request& request, const std::string& name) {
  const auto found = request.headers.find(name);
  if (found == request.headers.end()) return;
  auto value = std::move(found->second);
  request.headers.erase(name);
  request.headers.emplace(kSetAside + name, std::move(value));
}

}  // namespace

Request view(const httplib::Request& request) {
  Request seen;
  seen.method = request.method;
  seen.target = request.target;
  seen.headers.reserve(request.headers.size());
  for (const auto& [name, value] : request.headers) {
    std::string_view shown = name;
    if (!shown.empty() && shown.front() == kSetAside) shown.remove_prefix(1);
    seen.headers.emplace_back(shown, value);
  }
  return seen;
}

bool is_chunked(const httplib::Request& request) {
  return request.headers.find(kTransferEncoding) != request.headers.end();
}

std::optional<std::size_t> announced_length(const httplib::Request& request) {
  const auto found = request.headers.find(kContentLength);
  if (found == request.headers.end()) return std::nullopt;
  const auto& text = found->second;
  std::size_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (error != std::errc{} || end != text.data() + text.size()) {
    return std::numeric_limits<std::size_t>::max();
  }
  return length;
}

void neutralise(httplib::Request& request) {
  request.path = kOnlyRoute;
  request.ranges.clear();
  set_aside(request, kContentEncoding);
  set_aside(request, kContentType);
  // Without either header there is no body (RFC 9112, section 6.3); the library would take the next
  // request on the connection for it.
  if (!is_chunked(request) && request.headers.find(kContentLength) == request.headers.end()) {
    request.headers.emplace(kContentLength, "0");
  }
}

}  // namespace emulator::front_doors
