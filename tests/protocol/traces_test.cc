// Traces between an invocation and its runtime: the header down, datagrams up.
#include "emulator/environment/pool.h"
#include "emulator/environment/xray_daemon.h"
#include "emulator/invoke/invoker.h"
#include "tests/support/environment_world.h"

#include <catch2/catch_test_macros.hpp>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <string>
#include <vector>

using namespace emulator::environment;
using emulator::invoke::InvocationRequest;
using emulator::invoke::Invoker;
using emulator::invoke::Tracer;
using tests::EnvironmentWorld;
using tests::ScriptedProcess;
using tests::ScriptEnd;

namespace {

// What came to the daemon of any environment.
class Datagrams {
 public:
  void take(const std::string& function, std::string_view datagram) {
    const std::lock_guard lock(mutex_);
    all_.push_back(function + ": " + std::string(datagram));
    changed_.notify_all();
  }
  std::vector<std::string> await(std::size_t count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return all_.size() >= count; });
    return all_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> all_;
};

// In a script, where nothing can be required: what does not arrive is missed at the other end.
void send_datagram(const std::string& address, const std::string& text) {
  const auto colon = address.find(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  ::inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
  const emulator::sandbox::UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ::sendto(socket.get(),
           text.data(),
           text.size(),
           0,
           reinterpret_cast<const sockaddr*>(&to),
           sizeof(to));
}

std::string trace_of(const tests::HttpAnswer& next) {
  const auto found = next.headers.find("lambda-runtime-trace-id");
  return found == next.headers.end() ? "none" : found->second;
}

ScriptEnd name_trace(ScriptedProcess& process) { process.serve(trace_of); }

std::function<std::string()> numbered() {
  return
      [count = std::make_shared<std::atomic<int>>(0)] { return "env-" + std::to_string(++*count); };
}

std::shared_ptr<EnvironmentSpec> with_daemon(const EnvironmentWorld& world) {
  auto spec = world.spec();
  spec->variables["AWS_XRAY_DAEMON_ADDRESS"] = "169.254.100.1:2000";
  return spec;
}

std::unique_ptr<Tracer> tracer_of(const EnvironmentWorld& world) {
  return std::make_unique<Tracer>(emulator::invoke::TracerWorld{
      .clock = world.clock,
      .new_hex =
          [made = std::make_shared<std::atomic<int>>(0)](int digits) {
            auto number = std::to_string(++*made);
            return std::string(static_cast<std::size_t>(digits) - number.size(), '0') + number;
          },
      .draw = [] { return 0.5; }});
}

InvocationRequest request_of(std::optional<std::string> trace) {
  InvocationRequest request;
  request.function_name = "f";
  request.request_id = "id";
  request.payload = "{}";
  request.trace_id = std::move(trace);
  request.release_at = emulator::invoke::ReleaseAt::report;
  return request;
}

}  // namespace

TEST_CASE("a runtime is told of its trace, and so is the caller", "[trace]") {
  EnvironmentWorld world(name_trace);
  Pool pool({}, world.world, numbered());
  Invoker invoker(pool,
                  emulator::invoke::fixed_targets(
                      {{"f", {{.on_demand = world.spec(), .provisioned = nullptr}, "arn"}}}),
                  tracer_of(world));
  const std::string root = "Root=1-5f84c7a1-0123456789abcdef01234567";
  const auto sampled = invoker.invoke(request_of(root + ";Sampled=1;Lineage=a87bd80c:1"));
  REQUIRE(sampled);
  const auto told = std::get<Responded>(sampled->outcome).body;
  CHECK(told == root + ";Parent=0000000000000001;Sampled=1;Lineage=a87bd80c:1");
  CHECK(sampled->trace_header == told);
  CHECK(sampled->report->trace.invocation_segment == "0000000000000001");
  CHECK(sampled->report->answered_after.value_or(sampled->report->duration) <=
        sampled->report->duration);
  CHECK(sampled->log_tail.ends_with(
      "\nXRAY TraceId: 1-5f84c7a1-0123456789abcdef01234567\tSegmentId: 0000000000000003\t"
      "Sampled: true\t\n"));
  const auto begun = invoker.invoke(request_of(std::nullopt));
  REQUIRE(begun);
  CHECK(begun->trace_header.ends_with(";Sampled=0"));
  CHECK(begun->log_tail.find("XRAY") == std::string::npos);
}

TEST_CASE("an event is accepted with the trace that its attempts continue", "[trace]") {
  EnvironmentWorld world(name_trace);
  Pool pool({}, world.world, numbered());
  auto spec = world.spec();
  spec->tracing = Tracing::active;
  Invoker invoker(pool,
                  emulator::invoke::fixed_targets(
                      {{"f", {{.on_demand = spec, .provisioned = nullptr}, "arn"}}}),
                  tracer_of(world));
  const auto accepted = invoker.begin_event(request_of(std::nullopt));
  REQUIRE(accepted);
  CHECK(accepted->ends_with(";Sampled=1"));
  std::string root;
  for (int attempt = 1; attempt <= 2; ++attempt) {
    const auto result = invoker.invoke(request_of(*accepted));
    REQUIRE(result);
    CHECK(result->report->trace.sampled);
    CHECK(accepted->find(result->report->trace.trace_id) != std::string::npos);
  }
}

TEST_CASE("without a tracer a caller's header is handed on as it came", "[trace]") {
  EnvironmentWorld world(name_trace);
  Pool pool({}, world.world, numbered());
  Invoker invoker(pool,
                  emulator::invoke::fixed_targets(
                      {{"f", {{.on_demand = world.spec(), .provisioned = nullptr}, "arn"}}}),
                  nullptr);
  CHECK(std::get<Responded>(invoker.invoke(request_of("anything"))->outcome).body == "anything");
  CHECK(std::get<Responded>(invoker.invoke(request_of(std::nullopt))->outcome).body == "none");
}

TEST_CASE("what processes send to the X-Ray daemon arrives with their function's name", "[trace]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.serve([&](const tests::HttpAnswer& next) {
      const auto address = process.variable("AWS_XRAY_DAEMON_ADDRESS");
      send_datagram(address, "segment of " + ScriptedProcess::id_of(next));
      send_datagram(address, "");
      return address + "=" + process.variable("_AWS_XRAY_DAEMON_ADDRESS") + ":" +
             process.variable("_AWS_XRAY_DAEMON_PORT");
    });
  });
  Datagrams datagrams;
  world.world.segments = [&](const std::string& function, std::string_view datagram) {
    datagrams.take(function, datagram);
  };
  Pool pool({}, world.world, numbered());
  const auto spec = with_daemon(world);
  const auto served =
      pool.serve(spec, tests::next_invocation("1"), {.release_at = ReleaseAt::report});
  REQUIRE(served);
  const auto addresses = std::get<Responded>(served->outcome).body;
  const auto equals = addresses.find('=');
  CHECK(addresses.substr(0, equals) == addresses.substr(equals + 1));
  CHECK(datagrams.await(2) == std::vector<std::string>{"f: segment of 1", "f: "});
}

TEST_CASE("an environment keeps its daemon over many invocations and a reset", "[trace]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    const auto next = process.next();
    if (next.status != 200) return {.code = 1, .signal = {}};
    const auto id = ScriptedProcess::id_of(next);
    send_datagram(process.variable("AWS_XRAY_DAEMON_ADDRESS"), id);
    process.respond(id, "1");
    return {.code = 3, .signal = {}};
  });
  Datagrams datagrams;
  world.world.segments = [&](const std::string& function, std::string_view datagram) {
    datagrams.take(function, datagram);
  };
  Pool pool({}, world.world, numbered());
  const auto spec = with_daemon(world);
  for (const auto* id : {"1", "2", "3"}) {
    REQUIRE(pool.serve(spec, tests::next_invocation(id), {.release_at = ReleaseAt::report}));
  }
  CHECK(datagrams.await(3) == std::vector<std::string>{"f: 1", "f: 2", "f: 3"});
}

TEST_CASE("a daemon that the function named itself is left to it", "[trace]") {
  EnvironmentWorld world([](ScriptedProcess& process) -> ScriptEnd {
    process.serve(
        [&](const tests::HttpAnswer&) { return process.variable("AWS_XRAY_DAEMON_ADDRESS"); });
  });
  world.world.segments = [](const std::string&, std::string_view) {};
  Pool pool({}, world.world, numbered());
  auto spec = world.spec();
  spec->variables["AWS_XRAY_DAEMON_ADDRESS"] = "10.0.0.1:3000";
  const auto served = pool.serve(spec, tests::next_invocation("1"), {});
  REQUIRE(served);
  CHECK(std::get<Responded>(served->outcome).body == "10.0.0.1:3000");
}
