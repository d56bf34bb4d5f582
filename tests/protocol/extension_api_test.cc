// The Extensions API through real HTTP.
#include "tests/support/extension_api.h"

#include <catch2/catch_test_macros.hpp>

#include <sys/socket.h>

#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

using namespace runtime_api;
using tests::ApiAnswer;
using tests::ExtensionApi;

namespace {

const std::string kNextEvent = "/2020-01-01/extension/event/next";
const std::string kRegister = "/2020-01-01/extension/register";
const std::string kBoth = R"({"events":["INVOKE","SHUTDOWN"]})";

void await_takers(const ExtensionHub& hub, std::size_t count) {
  while (hub.waiting_takers() != count) std::this_thread::yield();
}

InvokeEvent invocation(const std::string& id) {
  return {.deadline_ms = 1, .request_id = id, .function_arn = "arn", .trace_id = {}};
}

std::string error(const std::string& type, const std::string& message) {
  return "{\"errorMessage\":\"" + message + "\",\"errorType\":\"" + type + "\"}\n";
}

}  // namespace

TEST_CASE("an extension registers, fetches an event and reports an error over HTTP") {
  ExtensionApi api({"ext"});
  const auto registered = api.register_extension("ext", kBoth);
  CHECK(registered.status == 200);
  CHECK(registered.header("Content-Type") == "application/json");
  const auto identifier = registered.header("Lambda-Extension-Identifier");
  CHECK(identifier == tests::numbered_uuid(1));
  auto event = api.parked_event(identifier);
  await_takers(api.world.hub, 1);
  api.world.hub.expect();
  api.world.hub.give(invocation("id-1"));
  const auto given = event.get();
  CHECK(given.status == 200);
  CHECK(given.header("Content-Type") == "application/json");
  CHECK(given.header("Lambda-Extension-Event-Identifier") == tests::numbered_uuid(2));
  CHECK(given.body.find("\"requestId\":\"id-1\"") != std::string::npos);
  const auto reported = api.report("exit", identifier);
  CHECK(reported.status == 202);
  CHECK(reported.body == "{\"status\":\"OK\"}\n");
}

TEST_CASE("a refused call leaves its connection good for the next one") {
  ExtensionApi api({"ext"});
  httplib::Client client("127.0.0.1", api.server.port());
  client.set_keep_alive(true);
  const auto nameless = client.Post(kRegister, kBoth, "application/json");
  REQUIRE(nameless);
  CHECK(nameless->status == 403);
  CHECK(nameless->body == error("Extension.InvalidExtensionName", "Empty extension name"));
  const auto anonymous = client.Get(kNextEvent);
  REQUIRE(anonymous);
  CHECK(anonymous->status == 403);
  const auto named =
      client.Post(kRegister, {{"Lambda-Extension-Name", "ext"}}, kBoth, "application/json");
  REQUIRE(named);
  CHECK(named->status == 200);
}

TEST_CASE("other methods and other paths of the Extensions API are refused as any other") {
  ExtensionApi api;
  const auto wrong = api.get(kRegister);
  CHECK(wrong.status == 405);
  CHECK(wrong.header("Allow") == "POST");
  CHECK(api.post(kNextEvent, "").status == 405);
  CHECK(api.post("/2020-01-01/extension/other", "").status == 404);
  CHECK(api.post("/2020-01-01/extension/other/error", "").status == 404);
}

TEST_CASE("where extensions are turned off their API does not exist") {
  ExtensionApi api({}, ExtensionHub::Service::off);
  CHECK(api.register_extension("inner", "{}").status == 404);
  CHECK(api.get(kNextEvent).status == 404);
  CHECK(api.get(kRegister).status == 404);
  CHECK(api.report("init", tests::numbered_uuid(1)).status == 404);
}

TEST_CASE("registration closes when the runtime first asks for an invocation") {
  ExtensionApi api;
  CHECK(api.register_extension("early", "{}").status == 200);
  auto parked = api.parked_invocation();
  while (api.session.waiting_takers() == 0) std::this_thread::yield();
  const auto late = api.register_extension("late", "{}");
  CHECK(late.status == 403);
  CHECK(late.body ==
        error("Extension.RegistrationClosed", "Extension registration closed already"));
  api.end();
  CHECK(parked.get().status == 500);
}

TEST_CASE("ten parked extensions and the runtime are all served at the same time") {
  ExtensionApi api({"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"});
  std::vector<std::string> identifiers;
  std::vector<std::future<ApiAnswer>> events;
  for (int i = 0; i < 10; ++i) {
    identifiers.push_back(
        api.register_extension(std::to_string(i), kBoth).header("Lambda-Extension-Identifier"));
    events.push_back(api.parked_event(identifiers.back()));
  }
  await_takers(api.world.hub, 10);
  auto parked = api.parked_invocation();
  while (api.session.waiting_takers() == 0) std::this_thread::yield();
  // Each beside its parked call.
  for (const auto& identifier : identifiers) CHECK(api.report("init", identifier).status == 403);
  api.world.hub.give(ShutdownEvent{.reason = "spindown", .deadline_ms = 1});
  for (auto& event : events) {
    CHECK(event.get().body ==
          "{\"eventType\":\"SHUTDOWN\",\"shutdownReason\":\"spindown\",\"deadlineMs\":1}");
  }
  api.end();
  CHECK(parked.get().status == 500);
}

TEST_CASE("an extension that hangs up and asks again is given the event that it missed") {
  ExtensionApi api({"ext"});
  const auto identifier =
      api.register_extension("ext", kBoth).header("Lambda-Extension-Identifier");
  auto client = std::make_unique<httplib::Client>("127.0.0.1", api.server.port());
  client->set_read_timeout(600);
  auto first = std::async(std::launch::async, [&] {
    return static_cast<bool>(client->Get(kNextEvent, ExtensionApi::identified(identifier)));
  });
  await_takers(api.world.hub, 1);
  client->stop();
  CHECK_FALSE(first.get());
  api.world.hub.expect();
  api.world.hub.give(invocation("id-1"));
  // The event waits for whoever asks next, once the first call has been seen to be gone.
  const auto event = api.get(kNextEvent, ExtensionApi::identified(identifier));
  CHECK(event.status == 200);
  CHECK(event.body.find("id-1") != std::string::npos);
}
