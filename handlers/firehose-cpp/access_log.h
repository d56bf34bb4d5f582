// Apache access-log lines, in common and combined format, as JSON objects.
//
// Values only; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace firehose {

// What Apache writes as "-" is absent; only a size of "-" means 0 bytes.
struct AccessLogEntry {
  std::string client;
  std::optional<std::string> ident;
  std::optional<std::string> user;
  std::string time;  // ISO 8601 with the server's offset
  std::string method;
  std::string path;
  std::string protocol;
  int status = 0;
  std::int64_t bytes = 0;
  std::optional<std::string> referer;     // combined format only
  std::optional<std::string> user_agent;  // combined format only
};

// The line, without its end, as an entry; nullopt when it is not an access-log line.
std::optional<AccessLogEntry> parse_access_log(std::string_view line);

// A request that only asks whether the server lives: /health, /healthz, or a load balancer's agent.
bool is_health_check(const AccessLogEntry& entry);

// One compact line of JSON, the newline included.
std::string to_json_line(const AccessLogEntry& entry);

}  // namespace firehose
