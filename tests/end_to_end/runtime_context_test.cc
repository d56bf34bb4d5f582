// What AWS's runtime clients make known of an invocation when Hearth is behind them: the same in
// every language. The functions handlers/context-LANGUAGE tell it, log and fail as they are asked
// to.
#include "tests/end_to_end/lambda_api.h"
#include "tests/end_to_end/official_runtimes.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/generators/catch_generators_range.hpp>

#include <algorithm>
#include <future>
#include <string>
#include <vector>

using nlohmann::json;
using tests::Serving;
using tests::Words;

namespace {

struct Language {
  std::string name;
  std::string interpreter;  // empty: a project that is built
  int memory_mb;
  std::string error_type;       // of an event that is to fail
  std::string init_error_type;  // of a start that is to fail
  std::string function() const { return "context-" + name; }
};

// Go and Rust tell the service nothing of a start that fails but by their exit status. Java names
// the class.
const std::vector<Language> kLanguages = {
    {"python", "python3", 128, "WishError", "RuntimeError"},
    {"node", "node", 128, "WishError", "TypeError"},
    {"go", "", 128, "wishError", "Runtime.ExitError"},
    {"rust", "", 128, "WishError", "Runtime.ExitError"},
    {"java", "", 256, "example.ContextHandler$WishError", "java.lang.IllegalStateException"},
};

// Runs the rest of the test once for each language.
Language each_language() { return kLanguages[GENERATE(range(std::size_t{0}, std::size_t{5}))]; }

Words project_of(const Language& language) {
  return language.interpreter.empty()
             ? tests::built_project(language.function())
             : tests::interpreted_project(language.function(), language.interpreter);
}

// base64 of a whole one, as AWS's mobile SDKs send it; Rust's client refuses a client with less:
// {"client":{"installation_id":"i","app_title":"t","app_version_name":"v","app_version_code":"c",
// "app_package_name":"p"},"custom":{"key":"value"},"env":{"locale":"en"}}
constexpr const char* kClientContext =
    "eyJjbGllbnQiOnsiaW5zdGFsbGF0aW9uX2lkIjoiaSIsImFwcF90aXRsZSI6InQiLCJhcHBfdmVyc2lv"
    "bl9uYW1lIjoidiIsImFwcF92ZXJzaW9uX2NvZGUiOiJjIiwiYXBwX3BhY2thZ2VfbmFtZSI6InAifSwi"
    "Y3VzdG9tIjp7ImtleSI6InZhbHVlIn0sImVudiI6eyJsb2NhbGUiOiJlbiJ9fQ==";

void check_description(const Language& language,
                       const tests::Answer& answer,
                       const std::string& version = "$LATEST") {
  INFO(answer.body);
  REQUIRE(answer.status == 200);
  REQUIRE(answer.header("X-Amz-Function-Error").empty());
  const auto known = answer.json();
  CHECK(known.at("request_id") == answer.header("x-amzn-RequestId"));
  CHECK(known.at("function_name") == language.function());
  CHECK(known.at("function_version") == version);
  CHECK(known.at("invoked_function_arn")
            .get<std::string>()
            .ends_with(":function:" + language.function()));
  CHECK(known.at("memory_limit_mb") == language.memory_mb);
  CHECK(known.at("log_group") == "/aws/lambda/" + language.function());
  CHECK_FALSE(known.at("log_stream").get<std::string>().empty());
  const auto remaining = known.at("remaining_ms").get<long>();
  CHECK(remaining > 0);
  CHECK(remaining <= 10'000);  // the function's timeout
}

}  // namespace

TEST_CASE("every runtime client knows the invocation: ids, ARN, limits, deadline",
          "[official-runtimes]") {
  const auto language = each_language();
  Serving serving(project_of(language));
  const auto plain =
      tests::invoke_function(serving.port(), language.function(), R"({"do":"describe"})");
  check_description(language, plain);
  // Java's client leaves out what is null.
  CHECK(plain.json().value("tenant_id", json()).is_null());
  CHECK(plain.json().value("custom", json()).is_null());
  CHECK(serving.stop().status == 0);
}

TEST_CASE("every runtime client knows the caller's client context, the tenant and the trace",
          "[official-runtimes]") {
  const auto language = each_language();
  auto words = project_of(language);
  words.emplace_back("--tenant-isolation");
  Serving serving(words);
  const std::string root = "Root=1-5759e988-bd862e3fe1be46a994272793";
  const auto answer = tests::invoke_function(serving.port(),
                                             language.function(),
                                             R"({"do":"describe"})",
                                             {{"X-Amz-Client-Context", kClientContext},
                                              {"X-Amz-Tenant-Id", "blue"},
                                              {"X-Amzn-Trace-Id", root + ";Sampled=1"}});
  check_description(language, answer);
  CHECK(answer.json().at("tenant_id") == "blue");
  CHECK(answer.json().at("custom") == json{{"key", "value"}});
  CHECK(answer.json().at("trace_id").get<std::string>().starts_with(root));
  CHECK(serving.stop().status == 0);
}

TEST_CASE("what a function logs in its language's way is in its log, between START and END",
          "[official-runtimes]") {
  const auto language = each_language();
  Serving serving(project_of(language));
  const auto answer = tests::invoke_function(serving.port(),
                                             language.function(),
                                             R"({"do":"log","text":"Gr\u00fc\u00dfe"})",
                                             {{"X-Amz-Log-Type", "Tail"}});
  REQUIRE(answer.status == 200);
  const auto ended = serving.stop();
  const auto at = [&](const std::string& text) { return ended.output.find(text); };
  INFO(ended.output);
  REQUIRE(at("printed: Gr\u00fc\u00dfe") != std::string::npos);
  REQUIRE(at("logged: Gr\u00fc\u00dfe") != std::string::npos);
  CHECK(at("START RequestId") < at("printed:"));
  CHECK(at("START RequestId") < at("logged:"));
  CHECK(at("printed:") < at("END RequestId"));
  CHECK(at("logged:") < at("END RequestId"));
}

TEST_CASE("an error of a handler has its type and text in every language", "[official-runtimes]") {
  const auto language = each_language();
  Serving serving(project_of(language));
  const auto answer = tests::invoke_function(
      serving.port(), language.function(), R"({"do":"fail","text":"no such order"})");
  INFO(answer.body);
  CHECK(answer.status == 200);
  CHECK(answer.header("X-Amz-Function-Error") == "Unhandled");
  CHECK(answer.json().at("errorType") == language.error_type);
  CHECK(answer.json().at("errorMessage") == "no such order");
  // The process is as good as before.
  CHECK(tests::invoke_function(serving.port(), language.function(), R"({"n":1})").json() ==
        json{{"n", 1}});
  CHECK(serving.stop().status == 0);
}

namespace {

json stream_call(const Language& language, const json& event) {
  return {{"invoke_with_response_stream",
           {{"FunctionName", language.function()}, {"Payload", event.dump()}}}};
}

std::string text_of(const json& answer) {
  std::string text;
  for (const auto& event : answer.at("EventStream")) {
    if (event.contains("chunk")) text += event["chunk"].get<std::string>();
  }
  return text;
}

}  // namespace

// The clients for Python and Java stream nothing.
TEST_CASE("what a function streams is whole, and its late error behind it, in Node.js, Go and Rust",
          "[official-runtimes]") {
  const auto language = kLanguages[GENERATE(range(std::size_t{1}, std::size_t{4}))];
  auto words = project_of(language);
  if (language.name == "node") words.insert(words.end(), {"--handler", "app.streaming"});
  Serving serving(words);
  json event = {{"do", "stream"}, {"parts", {"one ", "two ", std::string(100'000, '3')}}};
  const auto whole = "one two " + std::string(100'000, '3');
  auto failing = event;
  failing["fail_with"] = "no such order";
  const auto answers =
      tests::boto3(serving, {stream_call(language, event), stream_call(language, failing)});
  CHECK(text_of(answers[0]).ends_with(whole));
  CHECK(answers[0]["EventStream"].back() == json{{"complete", json::object()}});
  const auto complete = answers[1]["EventStream"].back().at("complete");
  INFO(language.name << ": " << complete);
  if (language.name == "rust") {  // writes the error into the body
    CHECK(text_of(answers[1]).find("Error-Type: Runtime.StreamError") != std::string::npos);
  } else {
    CHECK(text_of(answers[1]).ends_with(whole));
    CHECK(complete.at("ErrorCode") == "Unhandled");
    const auto error = json::parse(complete.at("ErrorDetails").get<std::string>());
    CHECK(error.at("errorType") == language.error_type);
    CHECK(error.at("errorMessage") == "no such order");
  }
  CHECK(serving.stop().status == 0);
}

namespace {

// Every language, Node.js by the client for its newer versions: the other one serves one at a time.
Language each_concurrent_language() {
  auto language = kLanguages[GENERATE(range(std::size_t{0}, std::size_t{5}))];
  language.memory_mb = 2048;
  return language;
}

Words concurrent_project_of(const Language& language) {
  return language.name == "node" ? tests::newer_node_project(language.function())
                                 : project_of(language);
}

}  // namespace

TEST_CASE("on Managed Instances every client serves several invocations in one environment",
          "[official-runtimes][managed]") {
  const auto language = each_concurrent_language();
  auto words = concurrent_project_of(language);
  words.insert(words.end(), {"--managed-instances", "4", "--memory", "2048"});
  Serving serving(words);
  const auto call = [&](int number) {
    const json event = {{"do", "meet"}, {"number", number}, {"of", 4}};
    auto answer = tests::invoke_function(serving.port(), language.function(), event.dump());
    // The environment is ready with its first poll: until the others are there, callers are turned
    // away.
    while (answer.status == 429) {
      answer = tests::invoke_function(serving.port(), language.function(), event.dump());
    }
    return answer.json() == event;
  };
  std::vector<std::future<bool>> calls;
  for (int i = 0; i < 4; ++i) calls.push_back(std::async(std::launch::async, call, i));
  for (auto& one : calls) CHECK(one.get());
  const auto described =
      tests::invoke_function(serving.port(), language.function(), R"({"do":"describe"})");
  check_description(language, described, "$LATEST.PUBLISHED");
  CHECK(serving.stop().status == 0);
}

TEST_CASE("the client for newer versions of Node.js is run as the one for older ones",
          "[official-runtimes]") {
  const Language language{"node", "", 128, "WishError", "TypeError"};
  const auto words = tests::newer_node_project(language.function());
  Serving serving(words);
  check_description(
      language,
      tests::invoke_function(serving.port(), language.function(), R"({"do":"describe"})"));
  const auto failed = tests::invoke_function(
      serving.port(), language.function(), R"({"do":"fail","text":"no such order"})");
  CHECK(failed.header("X-Amz-Function-Error") == "Unhandled");
  CHECK(failed.json().at("errorType") == language.error_type);
  CHECK(serving.stop().status == 0);
  auto failing = words;
  failing.insert(failing.end(), {"--env", "CONTEXT_FAILS_IN_INIT=1", "--payload", "{}"});
  const auto ended = tests::invoke(failing);
  INFO(ended.errors);
  CHECK(json::parse(ended.output).at("errorType") == language.init_error_type);
  auto streaming = words;
  streaming.insert(streaming.end(),
                   {"--handler", "app.streaming", "--payload", R"({"parts":["one ","two"]})"});
  CHECK(tests::invoke(streaming).output == "one two");
}

TEST_CASE("a start that fails answers the invocation with its reason in every language",
          "[official-runtimes]") {
  const auto language = each_language();
  auto arguments = project_of(language);
  arguments.insert(arguments.end(), {"--env", "CONTEXT_FAILS_IN_INIT=1", "--payload", "{}"});
  const auto ended = tests::invoke(arguments);
  INFO(ended.errors);
  REQUIRE(ended.status == 1);
  CHECK(json::parse(ended.output).at("errorType") == language.init_error_type);
}
