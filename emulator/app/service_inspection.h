// What Hearth shows of its service beside the Lambda API: events in the queue, deliveries, the
// clock, and the packages that functions and layers were made of.
//
//   GET  /_hearth/events?function=&limit=      {"events":[…]}, newest first, each with its attempts
//   GET  /_hearth/deliveries?function=&limit=  {"deliveries":[…]}, newest first
//   GET  /_hearth/clock                        {"clock":"virtual","now":…}
//   POST /_hearth/clock {"advance_ms":N}       only of virtual time; answers when all is settled
//   GET  /_hearth/code/SHA256.zip              a package
#pragma once

#include "emulator/app/service.h"
#include "emulator/control_plane/server.h"

#include <functional>
#include <vector>

namespace emulator::app {

// Events and deliveries listed when the caller asks for no number.
inline constexpr std::size_t kListedEvents = 100;

// The service, or nullptr while it is being built; then the routes answer 503.
using FindService = std::function<Service*()>;

// The service must outlive the server that the routes are given to.
std::vector<control_plane::ExtraRoute> service_routes(const FindService& find);

}  // namespace emulator::app
