#include "handlers/runtime_client/runtime_client.h"

#include "handlers/runtime_client/http_connection.h"
#include "handlers/runtime_client/response_stream.h"

#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <exception>
#include <optional>
#include <utility>

namespace runtime_client {

namespace {

constexpr std::string_view kInvocation = "/2018-06-01/runtime/invocation/";
constexpr std::string_view kInitError = "/2018-06-01/runtime/init/error";

// What an exception that left the handler is called. Source: the clients of the managed runtimes
// post the exception's own type; C++ has no portable name for it.
constexpr std::string_view kUnhandled = "Unhandled";

void say(std::string_view sentence) {
  std::string line = "runtime_client: ";
  line.append(sentence).append("\n");
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

std::optional<int> post(Connection& connection,
                        const std::string& request_id,
                        const Result& result) {
  const auto path = std::string(kInvocation) + request_id;
  if (result.is_error()) {
    return post_error(connection, path + "/error", result.error_type(), result.error_message());
  }
  return connection.exchange(
      {.method = "POST",
       .path = path + "/response",
       .headers = "Content-Type: " + header_value(result.content_type()) + "\r\n",
       .body = result.bytes()});
}

Invocation read_invocation(const Connection& connection) {
  Invocation invocation;
  invocation.payload = connection.body();
  invocation.request_id = connection.header("Lambda-Runtime-Aws-Request-Id");
  invocation.function_arn = connection.header("Lambda-Runtime-Invoked-Function-Arn");
  invocation.trace_id = connection.header("Lambda-Runtime-Trace-Id");
  invocation.client_context = connection.header("Lambda-Runtime-Client-Context");
  invocation.cognito_identity = connection.header("Lambda-Runtime-Cognito-Identity");
  const auto deadline = connection.header("Lambda-Runtime-Deadline-Ms");
  std::int64_t milliseconds = 0;
  std::from_chars(deadline.data(), deadline.data() + deadline.size(), milliseconds);
  invocation.deadline += std::chrono::milliseconds(milliseconds);
  return invocation;
}

// The process has one thread here unless the handler started more, whose business it then is.
// setenv() would keep every value that a variable ever had; of ours each invocation has another.
void publish_trace(std::string_view trace_id) {
  static std::string published;  // longer than what a string keeps in itself, so it may be moved
  if (trace_id.empty()) {
    ::unsetenv("_X_AMZN_TRACE_ID");  // NOLINT(concurrency-mt-unsafe)
    return;
  }
  auto variable = "_X_AMZN_TRACE_ID=" + std::string(trace_id);
  ::putenv(variable.data());  // NOLINT(concurrency-mt-unsafe)
  published = std::move(variable);
}

Result call(const Handler& handler, const Invocation& invocation) {
  try {
    return handler(invocation);
  } catch (const std::exception& exception) {
    return Result::error(std::string(kUnhandled), exception.what());
  } catch (...) {
    return Result::error(std::string(kUnhandled), "the handler threw what is no std::exception");
  }
}

// What comes of one invocation, given its id: the status of the Runtime API's reply.
using Answer =
    std::function<std::optional<int>(const Invocation& invocation, const std::string& request_id)>;

int serve(Connection& connection, const Answer& answer) {
  const auto next = std::string(kInvocation) + "next";
  while (true) {
    const auto status = connection.exchange({"GET", next, "", ""});
    if (status != 200) {
      say(status ? "the Runtime API answered next with status " + std::to_string(*status)
                 : "the Runtime API has gone away");
      return EXIT_FAILURE;
    }
    const auto invocation = read_invocation(connection);
    const std::string request_id(invocation.request_id);
    publish_trace(invocation.trace_id);
    const auto posted = answer(invocation, request_id);
    if (!posted || *posted >= 500) {
      say("the Runtime API has gone away while a result was posted");
      return EXIT_FAILURE;
    }
    if (*posted != 202) {
      say("the Runtime API refused the result of " + request_id + " with status " +
          std::to_string(*posted) + ": " + std::string(connection.body()));
    }
  }
}

Answer answer_by(Connection& connection, const Handler& handler) {
  return [&connection, &handler](const Invocation& invocation, const std::string& request_id) {
    return post(connection, request_id, call(handler, invocation));
  };
}

std::string_view address_from_environment() {
  const char* address = std::getenv("AWS_LAMBDA_RUNTIME_API");  // NOLINT(concurrency-mt-unsafe)
  return address != nullptr ? address : "";
}

std::optional<Address> address_of(std::string_view runtime_api) {
  auto address = parse_address(runtime_api);
  if (!address) {
    say("AWS_LAMBDA_RUNTIME_API must be ADDRESS:PORT, not '" + std::string(runtime_api) +
        "'; this program is started by Lambda or by hearth");
  }
  return address;
}

void append_escaped(std::string& json, std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      json.append({'\\', c});
    } else if (c == '\n') {
      json += "\\n";
    } else if (byte < 0x20) {
      json.append("\\u00").append({kHex[byte >> 4U], kHex[byte & 15U]});
    } else {
      json += c;
    }
  }
}

}  // namespace

std::string header_value(std::string_view text) {
  std::string value;
  for (const char c : text) value += c >= 0x20 && c < 0x7f ? c : '?';
  return value;
}

std::optional<int> post_error(Connection& connection,
                              std::string_view path,
                              std::string_view type,
                              std::string_view message) {
  const auto headers = "Content-Type: application/json\r\nLambda-Runtime-Function-Error-Type: " +
                       header_value(type) + "\r\n";
  return connection.exchange(
      {.method = "POST", .path = path, .headers = headers, .body = error_object(type, message)});
}

Result Result::response(std::string bytes, std::string content_type) {
  return {false, std::move(bytes), std::move(content_type)};
}

Result Result::error(std::string type, std::string message) {
  return {true, std::move(message), std::move(type)};
}

std::string error_object(std::string_view type, std::string_view message) {
  std::string json = "{\"errorMessage\":\"";
  append_escaped(json, message);
  json += "\",\"errorType\":\"";
  append_escaped(json, type);
  json += "\"}";
  return json;
}

int run_initialized(std::string_view runtime_api, const std::function<Handler()>& initialize) {
  const auto address = address_of(runtime_api);
  if (!address) return EXIT_FAILURE;
  Connection connection(*address);
  Handler handler;
  try {
    handler = initialize();
  } catch (const std::exception& exception) {
    post_error(connection, kInitError, kUnhandled, exception.what());
    return EXIT_FAILURE;
  } catch (...) {
    post_error(connection, kInitError, kUnhandled, "initialization threw no std::exception");
    return EXIT_FAILURE;
  }
  return serve(connection, answer_by(connection, handler));
}

int run_streaming(std::string_view runtime_api, const StreamHandler& handler) {
  const auto address = address_of(runtime_api);
  if (!address) return EXIT_FAILURE;
  Connection connection(*address);
  return serve(connection,
               [&connection, &handler](const Invocation& invocation, const std::string& id) {
                 return stream_response(connection, invocation, id, handler);
               });
}

int run_streaming(const StreamHandler& handler) {
  return run_streaming(address_from_environment(), handler);
}

int run_initialized(const std::function<Handler()>& initialize) {
  return run_initialized(address_from_environment(), initialize);
}

int run(std::string_view runtime_api, const Handler& handler) {
  return run_initialized(runtime_api, [&] { return handler; });
}

int run(const Handler& handler) { return run(address_from_environment(), handler); }

}  // namespace runtime_client
