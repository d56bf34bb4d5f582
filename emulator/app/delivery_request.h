// A delivery as the one request that its service takes, and as a line of a file.
//
// Sources: the public service models: SQS SendMessage in the protocol AWS JSON 1.0, EventBridge
// PutEvents in AWS JSON 1.1, SNS Publish in AWS Query, S3 PutObject and Lambda Invoke in REST.
// Nothing is signed: the Authorization header has the form of Signature Version 4, by which local
// emulators choose service, region and account, and a signature of zeros. The service itself would
// refuse it.
//
// Pure; any thread.
#pragma once

#include "emulator/invoke/destinations.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::app {

struct EndpointRequest {
  std::string method;
  std::string path;  // with query
  std::vector<std::pair<std::string, std::string>> headers;
  std::string content_type;
  std::string body;
};

// `base_url` is the endpoint's address without "/" at its end, `base_path` its path part. Only for
// targets that invoke::refused_target() does not name.
EndpointRequest endpoint_request(const invoke::Delivery& delivery,
                                 std::string_view base_url,
                                 std::string_view base_path);

// Why the service did not take it although it answered 200, or empty: PutEvents tells of an entry
// that failed in the body.
std::string refused_in_answer(invoke::TargetKind service, std::string_view answer);

// A JSON object, without a line end. `body` is a string, as a queue would hold it.
std::string delivery_line(const invoke::Delivery& delivery);

// "<service>-<name>.jsonl", of letters, digits, "-", "_" and "." only.
std::string delivery_file_name(std::string_view target_arn);

}  // namespace emulator::app
