#include "runtime_api/raw_request.h"

#include <httplib.h>

namespace runtime_api {
namespace {

constexpr const char* kContentType = "Content-Type";
constexpr const char* kTrailer = "Trailer";
constexpr const char* kSetAside = "Hearth-Original-Content-Type";

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

std::string content_type_of(const httplib::Request& request) {
  return request.has_header(kSetAside) ? request.get_header_value(kSetAside)
                                       : request.get_header_value(kContentType);
}

}  // namespace runtime_api
