#include "runtime_api/raw_request.h"

#include <httplib.h>

#include <algorithm>
#include <cctype>

namespace runtime_api {
namespace {

constexpr const char* kContentType = "Content-Type";
constexpr const char* kTrailer = "Trailer";
constexpr const char* kSetAside = "Hearth-Original-Content-Type";

bool contains_ignoring_case(std::string_view text, std::string_view word) {
  const auto same = [](unsigned char one, unsigned char other) {
    return std::tolower(one) == std::tolower(other);
  };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

}  // namespace

void keep_body_raw(const httplib::Request& request) {
  // The library hands out a const view of an object that it made mutable and still owns on this
  // thread; its routing reads these two members only after the pre-routing handler returns.
  auto& mutable_request = const_cast<httplib::Request&>(request);
  if (request.is_multipart_form_data()) {
    mutable_request.headers.emplace(kSetAside, request.get_header_value(kContentType));
    mutable_request.headers.erase(kContentType);
  }
  const bool announces_body =
      request.has_header("Content-Length") || request.has_header("Transfer-Encoding");
  if (!announces_body) mutable_request.body_consumed_ = true;
}

void leave_body_unread(const httplib::Request& request) {
  const_cast<httplib::Request&>(request).body_consumed_ = true;
}

void keep_trailers(const httplib::Request& request, const std::string& names) {
  auto& headers = const_cast<httplib::Request&>(request).headers;
  headers.erase(kTrailer);
  headers.emplace(kTrailer, names);
}

bool announces_trailer(const httplib::Request& request, std::string_view name) {
  const auto [first, last] = request.headers.equal_range(kTrailer);
  return std::any_of(first, last, [name](const auto& header) {
    return contains_ignoring_case(header.second, name);
  });
}

std::string content_type_of(const httplib::Request& request) {
  return request.has_header(kSetAside) ? request.get_header_value(kSetAside)
                                       : request.get_header_value(kContentType);
}

}  // namespace runtime_api
