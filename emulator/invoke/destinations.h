// What is sent where when an event has ended: the invocation record of a destination, the message
// of a dead-letter queue, and the wrapping that each kind of target gives them.
//
// Sources: developer guide, "Capturing records of Lambda asynchronous invocations"; records and a
// dead-letter message recorded from the service (success, RetriesExhausted, EventAgeExceeded,
// ZeroReservedConcurrency). Where a sentence below says so, what we do is our choice.
//
// Pure; any thread.
#pragma once

#include "emulator/invoke/event_status.h"
#include "emulator/invoke/invocation.h"
#include "emulator/invoke/retry_schedule.h"

#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::invoke {

// A record larger than this is sent to a topic without its payloads. Source: service model,
// OnFailure.Destination.
inline constexpr std::size_t kMostSnsMessageBytes = std::size_t{256} << 10;

// Source: developer guide, dead-letter queues: "the first 1 KB of the error message".
inline constexpr std::size_t kMostErrorMessageBytes = 1024;

enum class TargetKind { sqs, sns, events, s3, lambda, other };
std::string_view target_kind_name(TargetKind kind);  // "sqs" …; as in an ARN
enum class DeliveryRole { on_success, on_failure, dead_letter };
std::string_view delivery_role_name(DeliveryRole role);  // "on-success" …

// An ARN's parts; empty where it has none.
struct TargetArn {
  TargetKind kind = TargetKind::other;
  std::string region;
  std::string account;
  std::string name;       // queue, topic, bus, bucket or function
  std::string qualifier;  // of a function
};
TargetArn parse_target(std::string_view arn);

// Of a message in a queue or topic.
struct MessageAttribute {
  std::string type;  // "String" or "Number"
  std::string value;
  bool operator==(const MessageAttribute&) const = default;
};

// Something to be sent, and what became of it.
struct Delivery {
  enum class State { waiting, delivered, failed };

  std::uint64_t sequence = 0;  // in order of the events' ends
  std::string target_arn;
  DeliveryRole role = DeliveryRole::on_failure;
  std::string function_name;
  std::string function_arn;  // with the qualifier that was used, or $LATEST
  std::string request_id;    // of the event
  Condition condition = Condition::success;
  WallTime made;
  // What arrives: a message, a detail, an object or a payload; for a dead-letter queue the event's
  // own bytes.
  std::string body;
  std::map<std::string, MessageAttribute> attributes;  // of a dead-letter message
  Lineage lineage;                                     // for a target that is a function

  State state = State::waiting;
  int tries = 0;
  std::string where;  // where it was delivered to: a URL, a file, a function
  std::string error;  // of the last try that failed
};

// What an event's last attempt brought, as the service puts it.
struct LastAnswer {
  int status_code = 200;
  std::string executed_version{};  // empty: nothing was executed
  enum class Function { succeeded, failed, not_run } function = Function::not_run;
  std::string payload{};  // the response or the error document
};

struct EndedEvent {
  const InvocationRequest& request;
  std::string function_arn;  // with qualifier
  Condition condition;
  int attempts;                      // that were begun
  std::optional<LastAnswer> answer;  // absent when it ends without an attempt
  WallTime at;
};

// The ARN that records name: an event without a qualifier is one for $LATEST.
std::string qualified_arn(std::string_view function_arn,
                          const std::optional<std::string>& qualifier);

// Payloads are put in as they are; bytes that are no JSON become a string, our choice. `payloads`
// says whether they are put in at all.
enum class Payloads { kept, dropped };
std::string invocation_record(const EndedEvent& event, Payloads payloads = Payloads::kept);

// One for each target that `terms` name for this end; up to two.
std::vector<Delivery> deliveries_for(const EndedEvent& event, const Terms& terms);

// Why this target cannot take it ("queues and topics with FIFO order …"), or empty. Source:
// developer guide: standard queues and topics only; buckets for failures only; a dead-letter queue
// is a queue or a topic.
std::string refused_target(const Delivery& delivery);

// "aws/lambda/async/<function>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<id>". Where the service makes a
// random UUID, the id is the event's request id: our choice, so that the object can be found.
std::string object_key(const Delivery& delivery);

// "Lambda Function Invocation Result - Success" or "… - Failure".
std::string_view detail_type(const Delivery& delivery);

// An entry of PutEvents, as JSON.
std::string event_entry(const Delivery& delivery);

// "2026-01-13T00:00:00.000Z"
std::string iso_milliseconds(WallTime time);

}  // namespace emulator::invoke
