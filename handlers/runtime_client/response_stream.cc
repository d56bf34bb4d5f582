#include "handlers/runtime_client/response_stream.h"

#include <cstdint>
#include <exception>
#include <utility>

namespace runtime_client {
namespace {

// What an exception that left the handler is called, see runtime_client.cc.
constexpr std::string_view kUnhandled = "Unhandled";
constexpr const char* kBytes = "application/octet-stream";
constexpr const char* kHttpResponse = "application/vnd.awslambda.http-integration-response";

// Between the metadata and the body of a response for callers by HTTP. Source: AWS's own clients.
constexpr std::string_view kMetadataEnd("\0\0\0\0\0\0\0\0", 8);

// The head is sent with the first write, so that until then an error can be one of its own.
class PostedStream final : public ResponseStream {
 public:
  PostedStream(Connection& connection, const std::string& request_id)
      : connection_(connection),
        path_("/2018-06-01/runtime/invocation/" + request_id + "/response") {}

  void set_content_type(std::string content_type) override {
    content_type_ = std::move(content_type);
  }

  void set_http_metadata(std::string json) override {
    content_type_ = kHttpResponse;
    prelude_ = std::move(json);
    prelude_.append(kMetadataEnd);
  }

  Wanted write(std::string_view bytes) override {
    if (!begun_) begin();
    if (wanted_ == Wanted::more && !connection_.send_piece(bytes)) wanted_ = Wanted::no_more;
    return wanted_;
  }

  bool begun() const { return begun_; }

  std::optional<int> finish(std::string_view trailers) {
    if (!begun_) begin();
    return connection_.finish(trailers);
  }

 private:
  void begin() {
    begun_ = true;
    const auto headers = "Content-Type: " + header_value(content_type_) +
                         "\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n"
                         "Trailer: Lambda-Runtime-Function-Error-Type, "
                         "Lambda-Runtime-Function-Error-Body\r\n";
    const bool open =
        connection_.begin({.method = "POST", .path = path_, .headers = headers, .body = {}}) &&
        connection_.send_piece(prelude_);
    if (!open) wanted_ = Wanted::no_more;
  }

  Connection& connection_;
  const std::string path_;
  std::string content_type_ = kBytes;
  std::string prelude_;
  bool begun_ = false;
  Wanted wanted_ = Wanted::more;
};

// nullopt: it returned.
std::optional<std::string> failure_of(const StreamHandler& handler,
                                      const Invocation& invocation,
                                      ResponseStream& stream) {
  try {
    handler(invocation, stream);
    return std::nullopt;
  } catch (const std::exception& exception) {
    return exception.what();
  } catch (...) {
    return "the handler threw what is no std::exception";
  }
}

}  // namespace

std::string base64_encoded(std::string_view bytes) {
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = at; i < at + 3; ++i) {
      group = group << 8U | (i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U);
    }
    for (const unsigned shift : {18U, 12U, 6U, 0U}) text += kAlphabet[group >> shift & 63U];
  }
  const auto missing = (3 - bytes.size() % 3) % 3;
  text.replace(text.size() - missing, missing, missing, '=');
  return text;
}

std::optional<int> stream_response(Connection& connection,
                                   const Invocation& invocation,
                                   const std::string& request_id,
                                   const StreamHandler& handler) {
  PostedStream stream(connection, request_id);
  const auto failure = failure_of(handler, invocation, stream);
  if (!failure) return stream.finish({});
  if (!stream.begun()) {
    return post_error(connection,
                      "/2018-06-01/runtime/invocation/" + request_id + "/error",
                      kUnhandled,
                      *failure);
  }
  return stream.finish("Lambda-Runtime-Function-Error-Type: " + std::string(kUnhandled) +
                       "\r\nLambda-Runtime-Function-Error-Body: " +
                       base64_encoded(error_object(kUnhandled, *failure)) + "\r\n");
}

}  // namespace runtime_client
