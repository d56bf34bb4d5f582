// Takes the HTTP library's own reading of request bodies away, so that a body is its bytes.
#pragma once

#include <string>
#include <string_view>

namespace httplib {
struct Request;
}

namespace runtime_api {

// To be called first of all for a request, in the listener's pre-routing handler. Afterwards
//  - a multipart body is delivered as its bytes, not taken apart;
//  - a request that announces no body has none (the library would read to the connection's end).
// Thread: the one that serves the request.
void keep_body_raw(const httplib::Request& request);

// For a request that is answered without looking at its body: nor does the library, so nothing more
// can be read from the connection afterwards. In the pre-routing handler, on the same thread.
void leave_body_unread(const httplib::Request& request);

// The library drops trailers that the head does not announce, which a runtime need not do. From
// here on those of these names, separated by commas, are kept in the request's trailers. Before its
// body is read, on the same thread.
void keep_trailers(const httplib::Request& request, const std::string& names);

// Whether the head announces a trailer of this name; before keep_trailers().
bool announces_trailer(const httplib::Request& request, std::string_view name);

// The request's Content-Type as the client sent it, before or after keep_body_raw().
std::string content_type_of(const httplib::Request& request);

}  // namespace runtime_api
