#include "emulator/invoke/queued_event.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::invoke;

TEST_CASE("an event is the same after it was stored and read, payload byte for byte", "[events]") {
  QueuedEvent event;
  event.sequence = 17;
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
  const auto read = read_event(sequence_key(17), stored_event(event));
  REQUIRE(read);
  CHECK(read->sequence == 17);
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

TEST_CASE("keys of events sort as their numbers do", "[events]") {
  CHECK(sequence_key(9) < sequence_key(10));
  CHECK(sequence_key(UINT64_MAX).size() == sequence_key(1).size());
  CHECK(read_sequence_key(sequence_key(UINT64_MAX)) == UINT64_MAX);
  CHECK_FALSE(read_sequence_key("12x"));
  CHECK_FALSE(read_sequence_key(""));
}

TEST_CASE("a damaged record of an event is told, not read", "[events]") {
  const auto key = sequence_key(1);
  for (const auto* text : {"", "{}", "{}\n", "{\"function\":1}\n{}", "nonsense\n{}"}) {
    INFO(text);
    CHECK_FALSE(read_event(key, text));
  }
  CHECK_FALSE(read_progress("{\"attempts\":\"x\"}"));
}
