// What a state folder keeps, over an end that nobody announced too.
#include "tests/end_to_end/lambda_api.h"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <string>

using nlohmann::json;
using tests::LambdaApi;
using tests::ScratchFolder;
using tests::Serving;
using tests::Words;
using namespace std::chrono_literals;

namespace {

Words with_state(const ScratchFolder& state, const Words& more = {}) {
  Words words = {"--state-dir", state.path().string()};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

Words at_virtual_time() { return {"--clock", "virtual", "--clock-start", "2026-01-01T00:00:00Z"}; }

// All that the API tells of a function.
json all_of(const LambdaApi& api) {
  return {{"function", api.function("f")["Configuration"]},
          {"tags", api.function("f")["Tags"]},
          {"versions", api.call("GET", "/2015-03-31/functions/f/versions")},
          {"aliases", api.call("GET", "/2015-03-31/functions/f/aliases")},
          {"policy", api.call("GET", "/2015-03-31/functions/f/policy")},
          {"url", api.call("GET", "/2021-10-31/functions/f/url")},
          {"event_invoke", api.call("GET", "/2019-09-25/functions/f/event-invoke-config")},
          {"reserved", api.call("GET", "/2019-09-30/functions/f/concurrency")},
          {"layers", api.call("GET", "/2018-10-31/layers")},
          {"mappings", api.call("GET", "/2015-03-31/event-source-mappings")}};
}

void make_all_of(const LambdaApi& api) {
  api.create(
      tests::changed(tests::python_function("f", "def handler(event, context): return 'kept'\n"),
                     {{"Tags", {{"team", "blue"}}}}));
  api.publish("f");
  api.configure("f", {{"MemorySize", 256}, {"Environment", {{"Variables", {{"KEY", "v"}}}}}});
  const std::string path = "/2015-03-31/functions/f";
  api.call("POST", path + "/aliases", {{"Name", "live"}, {"FunctionVersion", "1"}});
  api.call("POST",
           path + "/policy",
           {{"StatementId", "s3"},
            {"Action", "lambda:InvokeFunction"},
            {"Principal", "s3.amazonaws.com"}});
  api.call("POST", "/2021-10-31/functions/f/url", {{"AuthType", "NONE"}});
  api.event_invoke("f", {{"MaximumRetryAttempts", 1}});
  api.reserve("f", 5);
  const auto zip = tests::python_function("", "")["Code"];
  api.call("POST", "/2018-10-31/layers/words/versions", {{"Content", zip}});
  api.call("POST",
           "/2015-03-31/event-source-mappings",
           {{"FunctionName", "f"}, {"EventSourceArn", "arn:aws:sqs:us-east-1:123456789012:q"}});
}

}  // namespace

TEST_CASE("all that was made is there after a kill, and runs", "[state]") {
  const ScratchFolder state;
  json before;
  {
    Serving serving(with_state(state));
    const LambdaApi api(serving.port());
    make_all_of(api);
    before = all_of(api);
    CHECK(serving.stop(SIGKILL).status == 128 + SIGKILL);
  }
  Serving serving(with_state(state));
  const LambdaApi api(serving.port());
  auto after = all_of(api);
  // The address is the server's, which has a port of its own each time.
  before["url"].erase("FunctionUrl");
  after["url"].erase("FunctionUrl");
  // A mapping goes from state to state by itself.
  for (auto* all : {&before, &after}) {
    for (auto& mapping : (*all)["mappings"]["EventSourceMappings"]) mapping.erase("State");
  }
  CHECK(after == before);
  CHECK(api.invoke("f").body == "\"kept\"");
  CHECK(api.invoke("f:live").body == "\"kept\"");
  serving.stop();
}

TEST_CASE("an event that waits for its next attempt does so after a kill", "[state]") {
  const ScratchFolder state;
  std::string id;
  {
    Serving serving(with_state(state, at_virtual_time()));
    const LambdaApi api(serving.port());
    api.create(tests::testee_function("f", "function_error"));
    id = api.send_event("f", "1");
    api.advance(0ms);
    CHECK(api.event(id)["attempts_begun"] == 1);
    serving.stop(SIGKILL);
  }
  Serving serving(with_state(state, at_virtual_time()));
  const LambdaApi api(serving.port());
  CHECK(api.event(id)["state"] == "waiting");
  CHECK(api.event(id)["attempts_begun"] == 1);
  CHECK(api.event(id)["next_due"] == "2026-01-01T00:01:00.000Z");
  api.advance(3min);
  CHECK(api.event(id)["state"] == "done");
  CHECK(api.event(id)["attempts_begun"] == 3);
  serving.stop();
}

TEST_CASE("virtual time goes on where a kill found it", "[state]") {
  const ScratchFolder state;
  {
    Serving serving(with_state(state, at_virtual_time()));
    LambdaApi(serving.port()).advance(90min);
    serving.stop(SIGKILL);
  }
  Serving serving(with_state(state, at_virtual_time()));
  CHECK(LambdaApi(serving.port()).advance(1min)["now"] == "2026-01-01T01:31:00.000Z");
  serving.stop();
}

TEST_CASE("an event whose attempt a kill ended is tried again when the server is back", "[state]") {
  const ScratchFolder state;
  std::string id;
  {
    Serving serving(with_state(state));
    const LambdaApi api(serving.port());
    api.create(tests::testee_function("f", "sleeps_forever"));
    id = api.send_event("f", "1");
    serving.program().await_output("START RequestId");
    // Settings that changed meanwhile hold for what is in the queue.
    api.configure("f", {{"Handler", "echo"}});
    serving.stop(SIGKILL);
  }
  Serving serving(with_state(state));
  const LambdaApi api(serving.port());
  CHECK(serving.program().await_output("START RequestId").find(id) != std::string::npos);
  api.await_event_end(id);
  CHECK(api.event(id)["condition"] == "Success");
  serving.stop();
}

TEST_CASE("an event whose attempt an orderly stop ended waits for the next start", "[state]") {
  const ScratchFolder state;
  std::string id;
  {
    Serving serving(with_state(state));
    const LambdaApi api(serving.port());
    api.create(tests::testee_function("f", "sleeps_forever"));
    api.event_invoke("f", {{"MaximumRetryAttempts", 0}});
    id = api.send_event("f", "1");
    serving.program().await_output("START RequestId");
    api.configure("f", {{"Handler", "echo"}});
    serving.stop();
  }
  Serving serving(with_state(state));
  const LambdaApi api(serving.port());
  api.await_event_end(id);
  CHECK(api.event(id)["condition"] == "Success");
  CHECK(api.event(id)["attempts_begun"] == 1);
  serving.stop();
}

TEST_CASE("a provisioned version with a layer comes back with the server", "[state]") {
  const ScratchFolder state;
  {
    Serving serving(with_state(state));
    const LambdaApi api(serving.port());
    const auto zip = tests::python_function("", "")["Code"];
    const auto layer = api.call("POST", "/2018-10-31/layers/l/versions", {{"Content", zip}});
    api.create(tests::changed(tests::testee_function("f", "echo"),
                              {{"Layers", {layer["LayerVersionArn"]}}}));
    api.publish("f");
    api.provision("f", "1", 1);
    // Who has it keeps it.
    api.call("DELETE", "/2018-10-31/layers/l/versions/1");
    serving.stop();
  }
  Serving serving(with_state(state));
  const LambdaApi api(serving.port());
  tests::eventually("provisioned concurrency",
                    [&] { return api.provisioned("f", "1").at("Status") == "READY"; });
  CHECK(api.invoke("f:1", "7").body == "7");
  serving.stop();
}

TEST_CASE("an account's folder is not another account's", "[state]") {
  const ScratchFolder state;
  Serving(with_state(state)).stop();
  const auto ended = tests::run_hearth(
      {"serve", "--port", "0", "--state-dir", state.path().string(), "--region", "eu-west-1"});
  CHECK(ended.status == 2);
  CHECK(ended.errors.find("--region us-east-1") != std::string::npos);
}

TEST_CASE("provisioned environments come back with the server", "[state]") {
  const ScratchFolder state;
  {
    Serving serving(with_state(state));
    const LambdaApi api(serving.port());
    api.create(tests::testee_function("f", "echo"));
    api.publish("f");
    api.provision("f", "1", 1);
    serving.stop(SIGKILL);
  }
  Serving serving(with_state(state));
  const LambdaApi api(serving.port());
  tests::eventually("provisioned concurrency",
                    [&] { return api.provisioned("f", "1").at("Status") == "READY"; });
  serving.stop();
}

TEST_CASE("a state folder has one server at a time", "[state]") {
  const ScratchFolder state;
  {
    Serving serving(with_state(state));
    const auto second = tests::run_hearth({"serve", "--port", "0", "--state-dir", state.path()});
    CHECK(second.status == 3);
    CHECK(second.output.empty());
    CHECK(tests::is_one_sentence(second.errors));
    CHECK(second.errors.find(state.path()) != std::string::npos);
    serving.stop(SIGKILL);
  }
  Serving serving(with_state(state));
  serving.stop();
}
