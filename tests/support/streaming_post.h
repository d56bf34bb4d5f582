// A response that is streamed to the Runtime API piece by piece, as a test wants its pieces.
#pragma once

#include "tests/support/raw_connection.h"

#include <cstdio>
#include <string>
#include <string_view>

namespace tests {

// How the head says that it is streamed; the second is the way of AWS's client for Go.
inline constexpr const char* kByMode = "Lambda-Runtime-Function-Response-Mode: streaming\r\n";
inline constexpr const char* kByTrailers =
    "Trailer: Lambda-Runtime-Function-Error-Body,lambda-runtime-function-error-type\r\n";

// One thread. Throws where the server has hung up.
class StreamingPost {
 public:
  // `address` is HOST:PORT, as AWS_LAMBDA_RUNTIME_API has it.
  StreamingPost(const std::string& address,
                const std::string& request_id,
                const std::string& content_type = "text/plain",
                const std::string& told = kByMode)
      : connection_(std::stoi(address.substr(address.rfind(':') + 1))) {
    connection_.say("POST /2018-06-01/runtime/invocation/" + request_id +
                    "/response HTTP/1.1\r\nHost: h\r\nContent-Type: " + content_type + "\r\n" +
                    told + "Transfer-Encoding: chunked\r\n\r\n");
  }

  void piece(std::string_view bytes) {
    char size[32];
    std::snprintf(size, sizeof(size), "%zx\r\n", bytes.size());
    connection_.say(std::string(size) + std::string(bytes) + "\r\n");
  }

  // The end, with trailers that are whole lines; the status of the reply.
  int end(const std::string& trailers = "") {
    connection_.say("0\r\n" + trailers + "\r\n");
    return connection_.reply().status;
  }

 private:
  RawConnection connection_;
};

}  // namespace tests
