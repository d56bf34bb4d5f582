#include "emulator/app/rie_options.h"

#include <catch2/catch_test_macros.hpp>

#include <algorithm>

using namespace emulator::app;

namespace {

using Words = std::vector<std::string>;

RieOptions options(const Words& arguments, const Variables& environment = {}) {
  auto parsed = parse_rie_options(arguments, environment);
  REQUIRE(parsed);
  return *parsed;
}

std::string complaint(const Words& arguments, const Variables& environment = {}) {
  const auto parsed = parse_rie_options(arguments, environment);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().exit_status == 1);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("without arguments and variables RIE's defaults hold", "[rie]") {
  const auto o = options({});
  CHECK(o.log_level == RieLogLevel::info);
  CHECK(o.init_caching == InitCaching::disabled);
  CHECK(o.runtime_api == HostAndPort{"127.0.0.1", 9001});
  CHECK(o.front_door == HostAndPort{"0.0.0.0", 8080});
  CHECK(o.command.empty());
  CHECK(o.handler.empty());
  CHECK(o.function_name == "test_function");
  CHECK(o.function_version == "$LATEST");
  CHECK(o.timeout == std::chrono::seconds(300));
  CHECK(o.memory.mebibytes == 3008);
}

TEST_CASE("flags are recognised anywhere, with their value behind them or after '='", "[rie]") {
  const Words lines[] = {
      {"--log-level", "debug", "--runtime-api-address=127.0.0.1:9002", "/boot", "app.handler"},
      {"/boot", "--runtime-api-address", "127.0.0.1:9002", "app.handler", "--log-level=debug"},
      {"/boot", "app.handler", "--log-level", "debug", "--runtime-api-address", "127.0.0.1:9002"},
  };
  for (const auto& line : lines) {
    const auto o = options(line);
    CHECK(o.log_level == RieLogLevel::debug);
    CHECK(o.runtime_api == HostAndPort{"127.0.0.1", 9002});
    CHECK(o.command == Words{"/boot", "app.handler"});
    CHECK(o.handler == "app.handler");
  }
}

TEST_CASE("words that are not RIE's flags belong to the command", "[rie]") {
  const auto o = options({"python",
                          "-m",
                          "--verbose",
                          "--x=1",
                          "-log-level",
                          "--",
                          "app.py",
                          "--enable-init-caching"});
  CHECK(o.command == Words{"python", "-m", "--verbose", "--x=1", "-log-level", "--", "app.py"});
  CHECK(o.handler == "app.py");
  CHECK(o.init_caching == InitCaching::enabled);
}

TEST_CASE("the last word is the handler only when there are two", "[rie]") {
  CHECK(options({"/boot"}).handler.empty());
  CHECK(options({"/boot"}, {{"_HANDLER", "a.b"}}).handler == "a.b");
  CHECK(options({"/boot"}, {{"_HANDLER", "a.b"}, {"AWS_LAMBDA_FUNCTION_HANDLER", "c.d"}}).handler ==
        "c.d");
  CHECK(options({"/boot", "e.f"}, {{"_HANDLER", "a.b"}}).handler == "e.f");
}

TEST_CASE("log levels are those of RIE, from the flag before the variable", "[rie]") {
  const std::pair<const char*, RieLogLevel> rows[] = {{"panic", RieLogLevel::error},
                                                      {"fatal", RieLogLevel::error},
                                                      {"error", RieLogLevel::error},
                                                      {"warning", RieLogLevel::warning},
                                                      {"info", RieLogLevel::info},
                                                      {"debug", RieLogLevel::debug},
                                                      {"trace", RieLogLevel::trace},
                                                      {"DEBUG", RieLogLevel::debug},
                                                      {"warn", RieLogLevel::warning}};
  for (const auto& [text, level] : rows) CHECK(options({"--log-level", text}).log_level == level);
  CHECK(options({}, {{"LOG_LEVEL", "trace"}}).log_level == RieLogLevel::trace);
  CHECK(options({"--log-level=error"}, {{"LOG_LEVEL", "trace"}}).log_level == RieLogLevel::error);
  const std::string text =
      "Failed to set log level. Valid log levels are:[panic fatal error warning info debug trace]";
  CHECK(complaint({"--log-level", "loud"}) == text);
  CHECK(complaint({}, {{"LOG_LEVEL", "loud"}}) == text);
}

TEST_CASE("addresses need a port and may leave out the host", "[rie]") {
  const auto door = [](const char* text) {
    return options({"--runtime-interface-emulator-address", text}).front_door;
  };
  CHECK(door("127.0.0.1:0") == HostAndPort{"127.0.0.1", 0});
  CHECK(door(":8081") == HostAndPort{"0.0.0.0", 8081});
  CHECK(door("[::1]:80") == HostAndPort{"::1", 80});
  for (const auto* bad : {"", "localhost", "localhost:", "h:65536", "h:-1", "h:8080x"}) {
    CHECK(complaint({"--runtime-api-address", bad}).find("HOST:PORT") != std::string::npos);
  }
}

TEST_CASE("a flag without its value is refused", "[rie]") {
  CHECK(
      complaint({"/boot", "--log-level"}).starts_with("expected argument for flag `--log-level'"));
  CHECK(complaint({"--log-level", "--enable-init-caching"}).starts_with("expected argument"));
  CHECK(complaint({"--enable-init-caching=yes"}).find("takes no value") != std::string::npos);
}

TEST_CASE("the function is described by RIE's variables", "[rie]") {
  const auto o = options({},
                         {{"AWS_LAMBDA_FUNCTION_TIMEOUT", "0"},
                          {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "512"},
                          {"AWS_LAMBDA_FUNCTION_NAME", "orders"},
                          {"AWS_LAMBDA_FUNCTION_VERSION", "7"},
                          {"AWS_ACCESS_KEY_ID", "a"},
                          {"AWS_SECRET_ACCESS_KEY", "b"},
                          {"AWS_SESSION_TOKEN", "c"}});
  CHECK(o.timeout == std::chrono::seconds(0));
  CHECK(o.memory.mebibytes == 512);
  CHECK(o.function_name == "orders");
  CHECK(o.function_version == "7");
  CHECK(o.access_key_id == "a");
  CHECK(o.secret_access_key == "b");
  CHECK(o.session_token == "c");
}

TEST_CASE("a timeout or memory size that is no whole number is refused at the start", "[rie]") {
  for (const auto* bad : {"1.5", "soon", "-1", "3s", "99999999999999999999"}) {
    CHECK(complaint({}, {{"AWS_LAMBDA_FUNCTION_TIMEOUT", bad}})
              .starts_with("the environment variable AWS_LAMBDA_FUNCTION_TIMEOUT is '"));
    CHECK(complaint({}, {{"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", bad}}).find("megabytes") !=
          std::string::npos);
  }
}

TEST_CASE("the variable of managed instances chooses their mode, even an empty one", "[rie]") {
  const auto chosen = parse_rie_options({}, {{"AWS_LAMBDA_MAX_CONCURRENCY", ""}});
  REQUIRE(chosen);
  CHECK(chosen->max_concurrency == "");
  CHECK_FALSE(parse_rie_options({}, {})->max_concurrency);
}

TEST_CASE("a bootstrap is looked for in RIE's order", "[rie]") {
  const auto found = [](std::vector<std::string_view> files) {
    return find_bootstrap([files](std::string_view path) {
      return std::find(files.begin(), files.end(), path) != files.end();
    });
  };
  CHECK(found({"/opt/bootstrap", "/var/runtime/bootstrap"}) == "/opt/bootstrap");
  CHECK(found({"/var/runtime/bootstrap", "/var/task/bootstrap"}) == "/var/task/bootstrap");
  CHECK(found({"/var/runtime/bootstrap"}) == "/var/runtime/bootstrap");
  CHECK(found({}) == "/var/task/bootstrap");
}

TEST_CASE("the runtime inherits everything, with Lambda's variables over it", "[rie]") {
  auto o = options({"/boot", "app.handler"}, {{"AWS_LAMBDA_FUNCTION_NAME", "orders"}});
  const Variables inherited = {{"A", "b=c=d"}, {"AWS_LAMBDA_RUNTIME_API", "stale"}, {"TZ", "X"}};
  const auto seen = rie_runtime_environment(o, inherited, "127.0.0.1:9001");
  const Variables expected = {{"A", "b=c=d"},
                              {"TZ", "X"},
                              {"AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001"},
                              {"AWS_LAMBDA_LOG_GROUP_NAME", "/aws/lambda/Functions"},
                              {"AWS_LAMBDA_LOG_STREAM_NAME", "$LATEST"},
                              {"AWS_LAMBDA_FUNCTION_NAME", "orders"},
                              {"AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"},
                              {"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "3008"},
                              {"AWS_ACCESS_KEY_ID", ""},
                              {"AWS_SECRET_ACCESS_KEY", ""},
                              {"AWS_SESSION_TOKEN", ""},
                              {"_HANDLER", "app.handler"}};
  CHECK(seen == expected);
}

TEST_CASE("with init caching the credentials are not set, but inherited ones stay", "[rie]") {
  const Variables inherited = {{"AWS_ACCESS_KEY_ID", "mine"}};
  const auto o = options({"--enable-init-caching"}, inherited);
  const auto seen = rie_runtime_environment(o, inherited, "h:1");
  CHECK(seen.at("AWS_ACCESS_KEY_ID") == "mine");
  CHECK_FALSE(seen.contains("AWS_SESSION_TOKEN"));
  CHECK_FALSE(seen.contains("_HANDLER"));
}
