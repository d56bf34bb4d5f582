// When an event happened, by what it carries itself.
//
// Pure; any thread.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::harness {

using EventTime = std::chrono::sys_time<std::chrono::milliseconds>;

// 2026-01-13T00:00:00Z, with a fraction, and with an offset such as +02:00. nullopt for anything
// else.
std::optional<EventTime> parse_iso_time(std::string_view text);

// 2026-01-13T00:00:00.000Z
std::string iso_time(EventTime time);

// The time of the first record, of the request, or of the event as a whole; nullopt where an event
// says none. Sources: the services' published events. SQS attributes.SentTimestamp; Kinesis
// kinesis.approximateArrivalTimestamp; DynamoDB dynamodb.ApproximateCreationDateTime; SNS
// Sns.Timestamp; S3 eventTime; REST API requestContext.requestTimeEpoch; HTTP API and function URL
// requestContext.timeEpoch; EventBridge time; Firehose approximateArrivalTimestamp.
std::optional<EventTime> event_time(std::string_view event);

}  // namespace emulator::harness
