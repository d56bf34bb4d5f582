// Streamed responses between a runtime that speaks HTTP and whoever reads them.
#include "emulator/environment/environment.h"
#include "runtime_api/server.h"
#include "runtime_api/session.h"
#include "tests/support/environment_world.h"
#include "tests/support/streaming_post.h"

#include <catch2/catch_test_macros.hpp>

#include <future>
#include <memory>
#include <string>

using namespace emulator::environment;
using namespace std::chrono_literals;
using runtime_api::ResponseStream;
using tests::EnvironmentWorld;
using tests::next_invocation;
using tests::ScriptedProcess;
using tests::ScriptEnd;
using tests::StreamingPost;

namespace {

constexpr const char* kLate =
    "Lambda-Runtime-Function-Error-Type: Runtime.Late\r\n"
    "Lambda-Runtime-Function-Error-Body: eyJlcnJvck1lc3NhZ2UiOiJubyJ9\r\n";

std::shared_ptr<Environment> make(EnvironmentWorld& world,
                                  std::shared_ptr<const EnvironmentSpec> spec) {
  return std::make_shared<Environment>("env-1", std::move(spec), world.world, [](Environment&) {});
}

StreamingPost stream_to(ScriptedProcess& process,
                        const tests::HttpAnswer& next,
                        const std::string& told = tests::kByMode) {
  return {
      process.variable("AWS_LAMBDA_RUNTIME_API"), ScriptedProcess::id_of(next), "text/plain", told};
}

// A script that does the same for each invocation, and ends when its server does.
tests::Script each(std::function<void(ScriptedProcess&, StreamingPost&)> stream,
                   const std::string& told = tests::kByMode) {
  return [stream = std::move(stream), told](ScriptedProcess& process) -> ScriptEnd {
    while (true) {
      const auto next = process.next();
      if (next.status != 200) throw tests::Killed{};
      try {
        auto post = stream_to(process, next, told);
        stream(process, post);
      } catch (const std::runtime_error&) {
        throw tests::Killed{};  // hung up on
      }
    }
  };
}

// More than the stream and the sockets hold. It has an end, because a script notices that it is
// killed only when it asks for something.
void send_much(StreamingPost& post) {
  const std::string piece(100'000, 'x');
  for (int i = 0; i < 300; ++i) post.piece(piece);
}

struct Streamed {
  Served served;
  std::string received;
};

// One invocation whose response is read as it comes; `seen` is told of each piece.
Streamed serve(
    Environment& environment, const std::string& id, std::function<void()> seen = [] {}) {
  auto next = next_invocation(id);
  const auto stream = next.stream = std::make_shared<ResponseStream>();
  auto reader = std::async(std::launch::async, [stream, seen = std::move(seen)] {
    std::string all;
    std::string piece;
    while (stream->read(piece)) {
      all += piece;
      seen();
    }
    return all;
  });
  auto served = environment.serve(std::move(next), {.release_at = ReleaseAt::report});
  stream->end();
  return {std::move(served), reader.get()};
}

}  // namespace

TEST_CASE("each piece is handed on while the runtime still holds back the next", "[stream]") {
  std::promise<void> first_seen;
  auto seen = first_seen.get_future().share();
  EnvironmentWorld world(each([&](ScriptedProcess&, StreamingPost& post) {
    post.piece("first ");
    seen.wait();
    post.piece("second");
    CHECK(post.end() == 202);
  }));
  const auto environment = make(world, world.spec());
  auto next = next_invocation("id-1");
  const auto stream = next.stream = std::make_shared<ResponseStream>();
  auto serving = std::async(std::launch::async, [&] {
    auto served = environment->serve(std::move(next), {.release_at = ReleaseAt::report});
    stream->end();
    return served;
  });
  CHECK(stream->await_begin() == "text/plain");
  std::string piece;
  REQUIRE(stream->read(piece));
  CHECK(piece == "first ");
  first_seen.set_value();
  REQUIRE(stream->read(piece));
  CHECK(piece == "second");
  CHECK_FALSE(stream->read(piece));
  const auto served = serving.get();
  CHECK(std::get<Responded>(served.outcome).body.empty());
  CHECK(served.report->error_type.empty());
}

TEST_CASE("an error in trailers, announced or not, fails the invocation and keeps the runtime",
          "[stream]") {
  EnvironmentWorld world(each([](ScriptedProcess&, StreamingPost& post) {
    post.piece("half");
    CHECK(post.end(kLate) == 202);
  }));
  const auto environment = make(world, world.spec());
  for (const auto* id : {"id-1", "id-2"}) {
    const auto [served, received] = serve(*environment, id);
    CHECK(received == "half");
    const auto& error = std::get<FunctionError>(served.outcome);
    CHECK(error.error_type == "Runtime.Late");
    CHECK(error.body == R"({"errorMessage":"no"})");
    CHECK(served.log_tail.find("\tStatus: error\tError Type: Runtime.Late\n") != std::string::npos);
  }
  CHECK(world.launcher.launches() == 1);
}

TEST_CASE("a response whose head announces trailers and no mode is streamed, as Go's client has it",
          "[stream]") {
  std::promise<void> first_seen;
  auto seen = first_seen.get_future().share();
  const auto script = [&](ScriptedProcess&, StreamingPost& post) {
    post.piece("half");
    seen.wait();
    CHECK(post.end(kLate) == 202);
  };
  EnvironmentWorld world(each(script, tests::kByTrailers));
  const auto environment = make(world, world.spec());
  const auto [served, received] = serve(*environment, "id-1", [&] { first_seen.set_value(); });
  CHECK(received == "half");
  CHECK(std::get<FunctionError>(served.outcome).error_type == "Runtime.Late");
}

TEST_CASE("a trailer's value is what was sent, percent signs and all", "[stream]") {
  EnvironmentWorld world(each([](ScriptedProcess&, StreamingPost& post) {
    CHECK(post.end("Lambda-Runtime-Function-Error-Type: Runtime.Late%41%0A\r\n") == 202);
  }));
  const auto environment = make(world, world.spec());
  const auto error = std::get<FunctionError>(serve(*environment, "id-1").served.outcome);
  CHECK(error.error_type == "Runtime.Late%41%0A");
}

TEST_CASE("a buffered invocation collects a stream; the published emulator overlooks its trailers",
          "[stream]") {
  EnvironmentWorld world(each([](ScriptedProcess&, StreamingPost& post) {
    post.piece("one ");
    post.piece("two");
    CHECK(post.end(kLate) == 202);
  }));
  for (const auto profile : {Profile::aws, Profile::rie}) {
    auto spec = world.spec();
    spec->profile = profile;
    const auto environment = make(world, spec);
    const auto served =
        environment->serve(next_invocation("id-1"), {.release_at = ReleaseAt::report});
    const auto* responded = std::get_if<Responded>(&served.outcome);
    CHECK((responded != nullptr) == (profile == Profile::rie));
    if (responded != nullptr) CHECK(responded->body == "one two");
  }
}

TEST_CASE("a timeout in mid-stream keeps what came, resets, and the next invocation works",
          "[stream]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    auto post = stream_to(process, next);
    post.piece("half");
    if (process.launch_number() == 1) process.hang();
    post.end();
    process.next();
    process.hang();
  });
  const auto environment = make(world, world.spec(1s));
  const auto [served, received] = serve(*environment, "id-1");
  CHECK(std::holds_alternative<TimedOut>(served.outcome));
  CHECK(received == "half");
  CHECK(served.report->timed_out());
  CHECK(environment->phase() == Phase::reset);
  CHECK(std::holds_alternative<Responded>(serve(*environment, "id-2").served.outcome));
  CHECK(world.launcher.launches() == 2);
}

TEST_CASE("a timeout frees a runtime that waits for a reader", "[stream]") {
  EnvironmentWorld world(each([](ScriptedProcess&, StreamingPost& post) { send_much(post); }));
  const auto environment = make(world, world.spec(200ms));
  auto next = next_invocation("id-1");
  next.stream = std::make_shared<ResponseStream>();
  const auto served = environment->serve(next, {.release_at = ReleaseAt::report});
  CHECK(std::holds_alternative<TimedOut>(served.outcome));
  std::string piece;
  CHECK(next.stream->read(piece));
  CHECK(piece.size() <= runtime_api::kMaxWaitingStreamBytes);
  CHECK_FALSE(next.stream->read(piece));
}

TEST_CASE("a runtime that is gone in mid-stream has exited; one that hangs up has broken off",
          "[stream]") {
  enum class End { exits, hangs_up };
  for (const auto end : {End::exits, End::hangs_up}) {
    std::promise<void> seen;
    EnvironmentWorld world([&, end](ScriptedProcess& process) -> ScriptEnd {
      {
        const auto next = process.next();
        auto post = stream_to(process, next);
        post.piece("half");
        seen.get_future().wait();
      }
      if (end == End::exits) return {.code = 3, .signal = {}};
      process.hang();
    });
    const auto environment = make(world, world.spec());
    const auto [served, received] = serve(*environment, "id-1", [&] { seen.set_value(); });
    CHECK(received == "half");
    if (end == End::exits) {
      CHECK(std::get<RuntimeExited>(served.outcome).exit_code == 3);
    } else {
      CHECK(std::holds_alternative<ResponseTruncated>(served.outcome));
    }
    CHECK(environment->phase() == Phase::reset);
  }
}

TEST_CASE("a killed environment does not wait for the reader of its response", "[stream]") {
  EnvironmentWorld world(each([](ScriptedProcess&, StreamingPost& post) { send_much(post); }));
  const auto environment = make(world, world.spec());
  auto next = next_invocation("id-1");
  const auto stream = next.stream = std::make_shared<ResponseStream>();
  auto serving = std::async(std::launch::async, [&] {
    return environment->serve(next, {.release_at = ReleaseAt::report});
  });
  CHECK(stream->await_begin());
  environment->kill();
  CHECK_FALSE(succeeded(serving.get().outcome));
}
