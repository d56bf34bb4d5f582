// What a call of a process inside an environment is answered, and the answers that several calls
// share.
//
// Values and pure functions; any thread.
#pragma once

#include "runtime_api/wire.h"

#include <nlohmann/json_fwd.hpp>

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace runtime_api {

inline constexpr std::string_view kJsonType = "application/json";

struct RuntimeReply {
  int status = 200;
  std::string content_type;  // empty: none is sent
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;
  std::shared_ptr<const NextInvocation> invocation;  // its payload is the body when set
  // After a request whose body was not read to its end nothing more can be read.
  enum class Connection { goes_on, ends } connection = Connection::goes_on;
};

// The document as the emulator that AWS publishes writes it: '<', '>' and '&' escaped, a newline at
// the end. What is not UTF-8 becomes the replacement character.
RuntimeReply json_reply(int status, const nlohmann::ordered_json& body);

// {"errorMessage":…,"errorType":…}
RuntimeReply error_reply(int status, std::string_view type, const std::string& message);

// 202 {"status":"OK"}
RuntimeReply accepted_reply();

// 500: the environment is beyond repair for this caller, which is expected to quit.
RuntimeReply session_over_reply();

}  // namespace runtime_api
