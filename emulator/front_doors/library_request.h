// A request as the HTTP library holds it, made harmless and made a value.
//
// The library routes by regular expression, parses form bodies, inflates encoded ones, applies
// ranges and closes after errors on its own account. None of that is wanted: every request is sent
// through one fixed path, and the parts of it that would wake those features are set aside before
// the library looks at them.
//
// The thread that serves the request.
#pragma once

#include "emulator/front_doors/http_message.h"

#include <cstddef>
#include <optional>

namespace httplib {
struct Request;
}

namespace emulator::front_doors {

// The path every request is routed by inside the library.
inline constexpr const char* kOnlyRoute = "/";

// First of all, in the library's pre-routing handler. The request it hands out there as const is a
// local, non-const object of its own, which makes a const_cast sound.
void neutralise(httplib::Request& request);

// As it was sent, before or after neutralise(); without its body.
Request view(const httplib::Request& request);

bool is_chunked(const httplib::Request& request);

// nullopt when the header is absent; a broken or huge number counts as more than any limit.
std::optional<std::size_t> announced_length(const httplib::Request& request);

}  // namespace emulator::front_doors
