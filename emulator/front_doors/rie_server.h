// The RIE front door on a port.
#pragma once

#include "emulator/front_doors/http_listener.h"
#include "emulator/front_doors/rie_front_door.h"

#include <tl/expected.hpp>

#include <memory>

namespace emulator::front_doors {

// Concurrent requests are concurrent invocations. The listener's contract is http_listener.h's.
tl::expected<std::unique_ptr<HttpListener>, ListenError> start_rie_server(
    const ListenAddress& address, RieFrontDoor door);

}  // namespace emulator::front_doors
