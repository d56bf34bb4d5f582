// The Runtime API loop for functions written in C++: fetch an invocation, hand it to the handler,
// post what it returns. Knows the wire and nothing of Hearth; a bootstrap linked with it runs
// on the hosted service as well.
//
//   int main() {
//     return runtime_client::run([](const runtime_client::Invocation& invocation) {
//       return runtime_client::Result::response(std::string(invocation.payload));
//     });
//   }
//
// Threads: everything happens on the caller's.
#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <string_view>

namespace runtime_client {

// Views are valid for the handler's call. An optional header that the Runtime API left out is an
// empty view.
struct Invocation {
  std::string_view payload;
  std::string_view request_id;
  std::chrono::system_clock::time_point deadline;
  std::string_view function_arn;
  std::string_view trace_id;
  std::string_view client_context;    // JSON
  std::string_view cognito_identity;  // JSON
};

// What the handler made of an invocation: response bytes, or an error with a type and a message.
class Result {
 public:
  static Result response(std::string bytes, std::string content_type = "application/json");
  static Result error(std::string type, std::string message);

  bool is_error() const { return is_error_; }
  const std::string& bytes() const { return text_; }          // of a response
  const std::string& content_type() const { return kind_; }   // of a response
  const std::string& error_type() const { return kind_; }     // of an error
  const std::string& error_message() const { return text_; }  // of an error

 private:
  Result(bool is_error, std::string text, std::string kind)
      : is_error_(is_error), text_(std::move(text)), kind_(std::move(kind)) {}

  bool is_error_;
  std::string text_;
  std::string kind_;
};

using Handler = std::function<Result(const Invocation&)>;

// A response that is sent while it is made. Only the handler that it was given to may use it, and
// on its own thread.
class ResponseStream {
 public:
  enum class Wanted { more, no_more };

  virtual ~ResponseStream() = default;

  // Before the first write; without it the response is application/octet-stream.
  virtual void set_content_type(std::string content_type) = 0;

  // For callers by HTTP, in place of a content type: {"statusCode":…,"headers":{…},"cookies":[…]}.
  virtual void set_http_metadata(std::string json) = 0;

  // Sends the bytes at once, and blocks while Lambda takes no more. `no_more`: the invocation has
  // been given up, and what is still written is dropped.
  virtual Wanted write(std::string_view bytes) = 0;
};

// Returning ends the response. An exception before the first write is a function error like any
// other; after it, it is told behind what was sent.
using StreamHandler = std::function<void(const Invocation&, ResponseStream&)>;

// Serves invocations from the Runtime API at AWS_LAMBDA_RUNTIME_API until it goes away, and returns
// the exit status for main, which is never 0. An exception from the handler becomes a function
// error of type Unhandled; _X_AMZN_TRACE_ID holds the trace of the invocation at hand. A response
// that the Runtime API refuses (too large, too late) is told on stderr and the loop goes on.
int run(const Handler& handler);
int run(std::string_view runtime_api, const Handler& handler);

// The same for a handler that streams.
int run_streaming(const StreamHandler& handler);
int run_streaming(std::string_view runtime_api, const StreamHandler& handler);

// The same for a handler that must first be made: an exception from `initialize` is posted to
// /init/error, and the exit status returned.
int run_initialized(const std::function<Handler()>& initialize);
int run_initialized(std::string_view runtime_api, const std::function<Handler()>& initialize);

// {"errorMessage":…,"errorType":…} as the Runtime API expects it.
std::string error_object(std::string_view type, std::string_view message);

}  // namespace runtime_client
