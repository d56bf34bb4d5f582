// Lambda's API over plain HTTP, as the end-to-end tests speak it where no SDK is needed, and what
// Hearth shows beside it.
#pragma once

#include "tests/end_to_end/hearth_program.h"

#include <nlohmann/json.hpp>

#include <chrono>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace tests {

inline constexpr const char* kFunctions = "/2015-03-31/functions";
inline constexpr const char* kSomeRole = "arn:aws:iam::123456789012:role/any";

std::string base64(std::string_view bytes);
std::string base64_decoded(std::string_view text);

// What boto3 makes of the calls, in order: see lambda_client.py.
nlohmann::json boto3(const Serving& serving, const std::vector<nlohmann::json>& calls);

// Asks until `condition` holds; throws when it does not within a minute, which says `what` was
// awaited.
void eventually(const std::string& what, const std::function<bool()>& condition);

// A function named so in one of the testee's modes (handlers/testees/misbehaviour.h), as
// CreateFunction takes it. The code is the built folder, used in place.
nlohmann::json testee_function(const std::string& name,
                               const std::string& mode,
                               const nlohmann::json& variables = nlohmann::json::object());

// A Python function from a .zip with this app.py; its handler is app.handler.
nlohmann::json python_function(const std::string& name, const std::string& source);

// The arguments of a function, changed as JSON merge patch does.
nlohmann::json changed(nlohmann::json arguments, const nlohmann::json& patch);

// The API of a server of the test's. Any thread.
class LambdaApi {
 public:
  explicit LambdaApi(int port) : port_(port) {}

  // What is answered, whatever it is.
  Answer send(const std::string& method,
              const std::string& path,
              const nlohmann::json& body = nullptr) const;

  // The answer's body, which throws where the answer is no success; {} when it is empty.
  nlohmann::json call(const std::string& method,
                      const std::string& path,
                      const nlohmann::json& body = nullptr) const;

  nlohmann::json create(const nlohmann::json& arguments) const {
    return call("POST", kFunctions, arguments);
  }
  nlohmann::json function(const std::string& name) const {
    return call("GET", std::string(kFunctions) + "/" + name);
  }
  // Of $LATEST.
  nlohmann::json configure(const std::string& name, const nlohmann::json& arguments) const;
  std::string publish(const std::string& name) const;  // the new version's number
  nlohmann::json reserve(const std::string& name, int units) const;
  nlohmann::json provision(const std::string& name, const std::string& version, int units) const;
  nlohmann::json provisioned(const std::string& name, const std::string& version) const;
  nlohmann::json event_invoke(const std::string& name, const nlohmann::json& config) const;

  Answer invoke(const std::string& name,
                const std::string& payload = "{}",
                const std::multimap<std::string, std::string>& headers = {}) const {
    return invoke_function(port_, name, payload, headers);
  }
  // An accepted event's request id.
  std::string send_event(const std::string& name, const std::string& payload = "{}") const;

  // What Hearth shows, newest first.
  nlohmann::json shown(const std::string& what, const std::string& function = {}) const;
  // The event of that request id; null when it is not shown.
  nlohmann::json event(const std::string& request_id) const;
  void await_event_end(const std::string& request_id) const;
  // Virtual time; answers when all is settled.
  nlohmann::json advance(std::chrono::milliseconds by) const;

 private:
  int port_;
};

}  // namespace tests
