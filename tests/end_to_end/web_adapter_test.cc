// AWS's Lambda Web Adapter, built of its crate and unchanged, before ordinary web applications: of
// Express, of Flask and of Go's net/http. Every environment has a network of its own, since the
// applications listen at a port of their choice.
#include "tests/end_to_end/lambda_api.h"
#include "tests/end_to_end/official_runtimes.h"
#include "tests/support/host_requirements.h"

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <filesystem>
#include <string>

using nlohmann::json;
using tests::Serving;
using tests::Words;

namespace {

struct Application {
  std::string function;
  std::string framework;
};

Words web_project(const std::string& function, const Words& more = {}) {
  tests::requires_own_network();
  tests::built_project("web-adapter-rust");
  auto words = tests::built_project(function);
  words.insert(words.end(), {"--network", "none"});
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// What an HTTP API sends for a request.
json request(const std::string& method, const std::string& path, const Words& more = {}) {
  Words words = {
      "generate-event", "apigateway", "http-api-proxy", "--method", method, "--path", path};
  words.insert(words.end(), more.begin(), more.end());
  const auto made = tests::run_hearth(words);
  INFO(made.errors);
  REQUIRE(made.status == 0);
  return json::parse(made.output);
}

}  // namespace

TEST_CASE("a web application answers behind the Lambda Web Adapter as to a browser",
          "[official-runtimes]") {
  const auto [function, framework] = GENERATE(Application{"web-express-node", "express"},
                                              Application{"web-flask-python", "flask"},
                                              Application{"web-nethttp-go", "net/http"});
  INFO(function);
  Serving serving(web_project(function));
  const auto order = request("POST",
                             "/orders/7",
                             {"--body",
                              R"({"sum":12})",
                              "--content-type",
                              "application/json",
                              "--querystringparameters",
                              R"({"colour":["blue"]})"});
  for (int i = 0; i < 2; ++i) {
    const auto answer = tests::invoke_function(serving.port(), function, order.dump());
    INFO(answer.body);
    REQUIRE(answer.status == 200);
    const auto response = answer.json();
    CHECK(response.at("statusCode") == 201);
    CHECK(response.at("headers").at("x-framework") == framework);
    CHECK(json::parse(response.at("body").get<std::string>()) ==
          json{{"id", "7"}, {"colour", "blue"}, {"order", {{"sum", 12}}}});
  }
  const auto missing =
      tests::invoke_function(serving.port(), function, request("GET", "/nowhere").dump());
  CHECK(missing.json().at("statusCode") == 404);
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a web application streams more than a buffered response may have",
          "[official-runtimes]") {
  const auto* const function = GENERATE("web-express-node", "web-flask-python", "web-nethttp-go");
  INFO(function);
  Serving serving(web_project(function, {"--env", "AWS_LWA_INVOKE_MODE=response_stream"}));
  const json arguments = {{"FunctionName", function},
                          {"Payload", request("GET", "/stream/7").dump()}};
  const auto results = tests::boto3(serving, {{{"invoke_with_response_stream", arguments}}});
  std::string text;
  std::size_t pieces = 0;
  for (const auto& event : results.at(0).at("EventStream")) {
    if (!event.contains("chunk")) continue;
    text += event["chunk"].get<std::string>();
    ++pieces;
  }
  CHECK(results[0]["headers"]["x-amzn-remapped-content-type"] ==
        "application/vnd.awslambda.http-integration-response");
  CHECK(pieces > 1);
  const auto metadata_end = text.find(std::string(8, '\0'));
  REQUIRE(metadata_end != std::string::npos);
  const auto metadata = json::parse(text.substr(0, metadata_end));
  CHECK(metadata.at("statusCode") == 200);
  CHECK(metadata.at("headers").at("content-type").get<std::string>().starts_with("text/plain"));
  CHECK(text.size() == metadata_end + 8 + 7 * 1'048'576 + 3);
  CHECK(text.ends_with("xend"));
  CHECK(serving.stop().status == 0);
}

TEST_CASE("a wrapper is handed the runtime's command line, and one that is missing is told",
          "[official-runtimes]") {
  const tests::ScratchFolder code;
  const tests::ScratchFolder layer;
  code.write("app.py", "import os\ndef handler(event, context):\n  return os.environ['WRAPPED']\n");
  const auto wrapper = layer.write(
      "wrap", "#!/bin/sh\necho wrapping \"$#\" words\nexport WRAPPED=yes\nexec \"$@\"\n");
  std::filesystem::permissions(wrapper, std::filesystem::perms{0755});
  const auto ended_with = [&](const std::string& named) {
    return tests::invoke({"--code",
                          code.path().string(),
                          "--layer",
                          layer.path().string(),
                          "--runtime",
                          "python3.11",
                          "--handler",
                          "app.handler",
                          "--env",
                          "AWS_LAMBDA_EXEC_WRAPPER=" + named});
  };
  const auto wrapped = ended_with("/opt/wrap");
  INFO(wrapped.errors);
  CHECK(wrapped.output == R"("yes")");
  CHECK(wrapped.errors.find("wrapping 6 words") != std::string::npos);
  const auto missing = ended_with("/opt/none");
  INFO(missing.errors);
  CHECK(missing.status == 1);
  CHECK(missing.errors.find("/opt/none: does not exist") != std::string::npos);
  CHECK(missing.output.find("exit status 127") != std::string::npos);
}
