// What an event source mapping reads from, and what may be said of each kind.
//
// Pure; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <nlohmann/json_fwd.hpp>
#include <tl/expected.hpp>

#include <cstddef>
#include <optional>
#include <string_view>

namespace emulator::control_plane {

enum class EventSource {
  queue,  // SQS
  fifo_queue,
  data_stream,   // Kinesis
  table_stream,  // DynamoDB
  managed_kafka,
  own_kafka,  // by its bootstrap servers
  broker,     // Amazon MQ
  document_database,
};

// Filters of one mapping. Source: developer guide, event filtering.
inline constexpr std::size_t kMaxFilters = 5;

// Of a FIFO queue. Source: developer guide, SQS.
inline constexpr int kMaxFifoBatch = 10;

// Which kind CreateEventSourceMapping's input names; nullopt: none that Lambda reads.
std::optional<EventSource> event_source_of(const Document& input);

// Of a kind whose records lie in shards.
bool is_sharded(EventSource source);

// What a new mapping has where the caller says nothing. Source: recorded for queues and streams;
// MODEL and developer guide for the others.
Document mapping_defaults(EventSource source);

// What the model cannot say: which members go with which source and with each other. `members` are
// those of a mapping as it would be. Source of the texts: recorded, unless said otherwise.
tl::expected<void, ServiceError> check_mapping(EventSource source, const Document& members);

// Members that only a new mapping has.
tl::expected<void, ServiceError> check_starting_position(EventSource source, const Document& input);

}  // namespace emulator::control_plane
