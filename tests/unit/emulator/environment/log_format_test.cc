#include "emulator/environment/log_format.h"

#include <catch2/catch_test_macros.hpp>

#include <string>

using namespace emulator::environment;

namespace {

constexpr std::chrono::system_clock::time_point kNow{std::chrono::milliseconds{1'752'773'784'304}};

std::string shaped(std::string_view line,
                   LogLevel level = LogLevel::info,
                   std::string_view request_id = "r1") {
  std::string text;
  append_log_line(
      {.format = LogFormat::json, .application_level = level}, line, request_id, kNow, text);
  return text;
}

}  // namespace

TEST_CASE("with the text format a line is what was printed", "[log]") {
  std::string text;
  append_log_line({}, R"({"level":"TRACE"})", "r1", kNow, text);
  CHECK(text == "{\"level\":\"TRACE\"}\n");
}

TEST_CASE("a plain line becomes the message of an object", "[log]") {
  CHECK(shaped("it's \"here\"") ==
        R"({"timestamp":"2025-07-17T17:36:24.304Z","level":"INFO","message":"it's \"here\"",)"
        "\"requestId\":\"r1\"}\n");
  CHECK(shaped("init", LogLevel::info, "") ==
        "{\"timestamp\":\"2025-07-17T17:36:24.304Z\",\"level\":\"INFO\",\"message\":\"init\"}\n");
  CHECK(shaped("{not json}").find(R"("message":"{not json}")") != std::string::npos);
  CHECK(shaped("\xff").find("\"message\":\"\xEF\xBF\xBD\"") != std::string::npos);
}

TEST_CASE("an object that the function wrote stays as it is", "[log]") {
  CHECK(shaped(R"({"a": {"level":"TRACE"}})") == "{\"a\": {\"level\":\"TRACE\"}}\n");
  CHECK(shaped(R"({"level":"error"})") == "{\"level\":\"error\"}\n");
}

TEST_CASE("lines below the application's level are left out", "[log]") {
  CHECK(shaped(R"({"level":"debug"})").empty());
  CHECK(shaped(R"({"level":"INFO"})", LogLevel::warn).empty());
  CHECK(shaped("plain", LogLevel::warn).empty());
  CHECK_FALSE(shaped(R"({"level":"WARNING"})", LogLevel::warn).empty());
  CHECK_FALSE(shaped(R"({"level":"CRITICAL"})", LogLevel::fatal).empty());
  CHECK_FALSE(shaped(R"({"level":"unheard of"})").empty());
  CHECK_FALSE(shaped(R"({"level":"trace"})", LogLevel::trace).empty());
}

TEST_CASE("levels are known by the service's names", "[log]") {
  for (const auto level : {LogLevel::trace,
                           LogLevel::debug,
                           LogLevel::info,
                           LogLevel::warn,
                           LogLevel::error,
                           LogLevel::fatal}) {
    CHECK(log_level_named(name_of(level)) == level);
  }
  CHECK_FALSE(log_level_named(""));
  CHECK_FALSE(log_level_named("INFORMATION"));
}
