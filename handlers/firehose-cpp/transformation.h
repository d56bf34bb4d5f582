// The Firehose side of the transformation: an event of base64 records in, one answer for each out.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace firehose {

// The event as JSON → {"records":[{recordId, result, data}]} as JSON, in the event's order. A
// record becomes Ok with a line of JSON, Dropped when it is a health check, or ProcessingFailed;
// the latter two keep the data they came with. nullopt when the text is no Firehose event.
std::optional<std::string> transform(std::string_view event);

}  // namespace firehose
