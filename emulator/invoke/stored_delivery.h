// A delivery as documents of the store, and back: what is to be sent, written once with the event's
// end, and what became of it. Used by the outbox only.
//
// Pure; any thread.
#pragma once

#include "emulator/invoke/destinations.h"

#include <tl/expected.hpp>

#include <string>
#include <string_view>

namespace emulator::invoke {

// A line of JSON, then the body's bytes as they are. Reading gives back all but the sequence.
std::string stored_delivery(const Delivery& delivery);
tl::expected<Delivery, std::string> read_delivery(std::string_view text);

std::string stored_result(const Delivery& delivery);
// Puts it into `delivery`; the error says what is wrong with the document.
tl::expected<void, std::string> read_result(std::string_view text, Delivery& delivery);

}  // namespace emulator::invoke
