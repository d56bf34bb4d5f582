#include "emulator/invoke/queued_event.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::invoke;
using namespace std::chrono_literals;

TEST_CASE("an event is the same after it was stored and read, payload byte for byte", "[events]") {
  QueuedEvent event;
  event.accepted = WallTime(std::chrono::nanoseconds(1'768'262'400'000'000'123));
  event.request.function_name = "resize";
  event.request.qualifier = "live";
  event.request.request_id = "id";
  event.request.payload = std::string("{\n\0\xff}", 5);
  event.request.client_context = R"({"custom":{"a":"b"}})";
  event.request.cognito_identity = "{}";
  event.request.trace_id = "Root=1";
  event.request.tenant_id = "blue";
  event.request.lineage = {{"resize", 2}};
  event.request.release_at = ReleaseAt::report;
  const auto read = read_event(stored_event(event));
  REQUIRE(read);
  CHECK(read->accepted == event.accepted);
  CHECK(read->request.function_name == "resize");
  CHECK(read->request.qualifier == "live");
  CHECK(read->request.request_id == "id");
  CHECK(read->request.payload == event.request.payload);
  CHECK(read->request.client_context == event.request.client_context);
  CHECK(read->request.cognito_identity == "{}");
  CHECK(read->request.trace_id == "Root=1");
  CHECK(read->request.tenant_id == "blue");
  CHECK(read->request.lineage == event.request.lineage);
  CHECK(read->request.release_at == ReleaseAt::report);
  CHECK(read->request.kind == emulator::environment::InvocationKind::event);
}

TEST_CASE("how far an event has come is the same after it was stored and read", "[events]") {
  const EventProgress progress{
      .attempts_begun = 2, .refusals_in_a_row = 5, .due = WallTime(std::chrono::hours(9))};
  const auto read = read_progress(stored_progress(progress));
  REQUIRE(read);
  CHECK(read->attempts_begun == 2);
  CHECK(read->refusals_in_a_row == 5);
  CHECK(read->due == progress.due);
}

TEST_CASE("the attempts of an event are the same after they were stored and read", "[events]") {
  const WallTime begun{std::chrono::nanoseconds(1'768'262'400'000'000'123)};
  EventProgress progress;
  progress.attempts = {{begun, "Throttled", WaitFor{300s, WaitReason::throttle}},
                       {begun + 300s, "ServiceError", WaitFor{1s, WaitReason::service_error}},
                       {begun + 301s, "Runtime.\xff\"ü", WaitFor{60s, WaitReason::retry}},
                       {begun + 361s, "Success", std::nullopt}};
  const auto read = read_progress(stored_progress(progress));
  REQUIRE(read);
  REQUIRE(read->attempts.size() == progress.attempts.size());
  for (std::size_t i = 0; i < progress.attempts.size(); ++i) {
    CHECK(read->attempts[i].started == progress.attempts[i].started);
    CHECK(read->attempts[i].wait == progress.attempts[i].wait);
  }
  CHECK(read->attempts[0].outcome == "Throttled");
  CHECK(read->attempts[2].outcome == "Runtime.\uFFFD\"ü");  // what is no UTF-8 is marked
}

TEST_CASE("a record without attempts has none to show, and of too many the latest are read",
          "[events]") {
  const auto former = read_progress(R"({"attempts":2,"refusals":0,"due_ns":9})");
  REQUIRE(former);
  CHECK(former->attempts_begun == 2);
  CHECK(former->attempts.empty());
  EventProgress progress;
  for (std::size_t i = 0; i < kAttemptsShown + 5; ++i) {
    progress.attempts.push_back({WallTime(), std::to_string(i), std::nullopt});
  }
  const auto read = read_progress(stored_progress(progress));
  REQUIRE(read);
  REQUIRE(read->attempts.size() == kAttemptsShown);
  CHECK(read->attempts.front().outcome == "5");
}

TEST_CASE("a damaged record of an event is told, not read", "[events]") {
  for (const auto* text : {"", "{}", "{}\n", "{\"function\":1}\n{}", "nonsense\n{}"}) {
    INFO(text);
    CHECK_FALSE(read_event(text));
  }
  CHECK_FALSE(read_progress("{\"attempts\":\"x\"}"));
  for (const auto* shown : {"7",
                            "[7]",
                            "[[]]",
                            "[[1]]",
                            "[[1,2]]",
                            "[[\"1\",\"Success\"]]",
                            "[[1,\"Throttled\",1]]",
                            "[[1,\"Throttled\",-1,\"throttle\"]]",
                            "[[1,\"Throttled\",9223372036854775807,\"throttle\"]]",
                            "[[1,\"Throttled\",1,\"whim\"]]"}) {
    INFO(shown);
    const auto read = read_progress(R"({"attempts":1,"refusals":0,"due_ns":9,"shown":)" +
                                    std::string(shown) + "}");
    REQUIRE_FALSE(read);
    CHECK_FALSE(read.error().empty());
  }
}
