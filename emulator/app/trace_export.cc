#include "emulator/app/trace_export.h"

#include "emulator/app/whole_append.h"
#include "emulator/sandbox/unique_fd.h"

#include <httplib.h>

#include <fcntl.h>

#include <cerrno>
#include <memory>
#include <system_error>
#include <utility>

namespace emulator::app {
namespace {

using report::ExportError;

constexpr std::string_view kTracesPath = "/v1/traces";
constexpr std::size_t kMostQuotedBytes = 300;

std::string why(int error) { return std::generic_category().message(error); }

tl::unexpected<ExportError> failed(ExportError::Kind kind, std::string message) {
  return tl::unexpected(ExportError{kind, std::move(message)});
}

// Source of the statuses that are worth another try: OpenTelemetry protocol, "OTLP/HTTP Response".
bool passes(int status) { return status == 429 || status == 502 || status == 503 || status == 504; }

tl::expected<void, ExportError> post(const HttpAddress& address, const std::string& document) {
  httplib::Client client(address.host, address.port);
  client.set_connection_timeout(kCollectorConnectTimeout);
  client.set_read_timeout(kCollectorAnswerTimeout);
  client.set_write_timeout(kCollectorAnswerTimeout);
  const auto result = client.Post(address.path, document, "application/json");
  if (!result) {
    return failed(ExportError::Kind::passing,
                  "traces cannot be sent: " + url_of(address) + " did not answer (" +
                      httplib::to_string(result.error()) +
                      "); see whether the collector runs, and what --otlp-endpoint names");
  }
  if (result->status / 100 == 2) return {};
  return failed(passes(result->status) ? ExportError::Kind::passing : ExportError::Kind::permanent,
                "traces cannot be sent: " + url_of(address) + " answered " +
                    std::to_string(result->status) + ": " +
                    result->body.substr(0, kMostQuotedBytes));
}

}  // namespace

tl::expected<HttpAddress, AppError> parse_collector(std::string_view url) {
  auto address = parse_http_address(url);
  if (!address) {
    return tl::unexpected(AppError{kWrongUsage,
                                   "--otlp-endpoint " + std::string(url) + ": " + address.error() +
                                       "; write it as http://HOST:PORT, such as "
                                       "http://127.0.0.1:4318"});
  }
  if (!address->path.ends_with(kTracesPath)) address->path += kTracesPath;
  return std::move(*address);
}

report::SpanExporter::Send to_collector(HttpAddress address) {
  return [address = std::move(address)](const std::string& document) {
    return post(address, document);
  };
}

tl::expected<report::SpanExporter::Send, AppError> to_trace_file(const std::string& path) {
  // Shared, because a function is copied.
  const auto file = std::make_shared<sandbox::UniqueFd>(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644));
  if (!file->valid()) {
    return tl::unexpected(AppError{kWrongUsage,
                                   "cannot write the traces to " + path + ": " + why(errno) +
                                       "; name a file in a folder of yours with --trace-file"});
  }
  return [file, path](const std::string& document) -> tl::expected<void, ExportError> {
    const int error = append_whole(file->get(), document + "\n");
    if (error == 0) return {};
    return failed(ExportError::Kind::passing,
                  "the traces cannot be written to " + path + ": " + why(error) +
                      "; make room, or name another file with --trace-file");
  };
}

}  // namespace emulator::app
