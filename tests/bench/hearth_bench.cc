// What Hearth costs, each figure next to its yardstick of the same run. Nothing is asserted: these
// machines are shared, and only the ratios mean something.
#include "tests/bench/measured_program.h"
#include "tests/bench/yardsticks.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

namespace {

using bench::Load;
using bench::MeasuredProgram;
using bench::Nanoseconds;

const std::string kInvoke = "/2015-03-31/functions/EchoFunction/invocations";
const std::string kSmall = R"({"hello":"world"})";

double microseconds(Nanoseconds value) {
  return std::chrono::duration<double, std::micro>(value).count();
}

double milliseconds(Nanoseconds value) { return microseconds(value) / 1000; }

MeasuredProgram serve() {
  return MeasuredProgram({HEARTH_PROGRAM, "serve", "--port", "0", "--log-level", "off"},
                         ECHO_PROJECT);
}

int port_of(const MeasuredProgram& program) {
  const auto& line = program.first_line();
  const auto colon = line.rfind(':');
  return std::stoi(colon == std::string::npos ? line : line.substr(colon + 1));
}

std::size_t environments(int port) {
  httplib::Client client("127.0.0.1", port);
  const auto answer = client.Get("/_hearth/environments");
  return nlohmann::json::parse(answer->body)["environments"].size();
}

void title(const char* text) { std::printf("\n%s\n", text); }

void print(const char* name, const bench::LoadResult& result) {
  std::printf("  %-28s p50 %8.1f us   p99 %8.1f us   %9.0f per second   %llu errors\n",
              name,
              microseconds(result.at(50)),
              microseconds(result.at(99)),
              result.per_second(),
              static_cast<unsigned long long>(result.errors));
}

// The two are measured in turns, so that a noisy neighbour meets both.
void warm(int bare_port, int port) {
  title("Warm invoke, one client (wanted: at most 0.90 of two bare round trips)");
  bench::run({port, kInvoke, kSmall, 1, 500});
  std::vector<double> ratios;
  bench::LoadResult bare;
  bench::LoadResult invoke;
  for (int round = 0; round < 9; ++round) {
    bare = bench::run({bare_port, "/echo", kSmall, 1, 3000});
    invoke = bench::run({port, kInvoke, kSmall, 1, 3000});
    ratios.push_back(microseconds(invoke.at(50)) / (2 * microseconds(bare.at(50))));
  }
  std::sort(ratios.begin(), ratios.end());
  print("bare echo round trip", bare);
  print("warm invoke", invoke);
  std::printf("  ratio of p50 to two bare ones: median %.2f, from %.2f to %.2f\n",
              ratios[ratios.size() / 2],
              ratios.front(),
              ratios.back());
}

void many_clients(int bare_port, int port) {
  title("16 clients (wanted: at least 0.25 of the bare echo's calls per second, no error)");
  bench::run({port, kInvoke, kSmall, 16, 200});
  std::vector<double> ratios;
  bench::LoadResult bare;
  bench::LoadResult invoke;
  for (int round = 0; round < 5; ++round) {
    bare = bench::run({bare_port, "/echo", kSmall, 16, 3000});
    invoke = bench::run({port, kInvoke, kSmall, 16, 1500});
    ratios.push_back(invoke.per_second() / bare.per_second());
  }
  std::sort(ratios.begin(), ratios.end());
  print("bare echo", bare);
  print("invoke", invoke);
  std::printf("  ratio: median %.2f, from %.2f to %.2f; %zu environments\n",
              ratios[ratios.size() / 2],
              ratios.front(),
              ratios.back(),
              environments(port));
}

void cold(int port) {
  title("Cold start (wanted: at most 3 ms above a bare spawn-and-wait of the same program)");
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  std::vector<Nanoseconds> bare;
  std::vector<Nanoseconds> requests;
  std::vector<double> inits;
  for (int i = 0; i < 200; ++i) {
    bare.push_back(bench::spawn_and_wait(std::string(ECHO_PROJECT) + "/bootstrap"));
    client.Delete("/_hearth/environments");
    const auto sent = std::chrono::steady_clock::now();
    client.Post(kInvoke, kSmall, "application/json");
    requests.push_back(std::chrono::steady_clock::now() - sent);
    const auto listed = client.Get("/_hearth/invocations?limit=1");
    const auto newest = nlohmann::json::parse(listed->body)["invocations"];
    if (!newest.empty() && newest[0]["init_ms"].is_number()) inits.push_back(newest[0]["init_ms"]);
  }
  std::sort(bare.begin(), bare.end());
  std::sort(requests.begin(), requests.end());
  std::sort(inits.begin(), inits.end());
  const auto show = [](const char* name, double p50, double p99) {
    std::printf("  %-36s p50 %6.2f ms   p99 %6.2f ms\n", name, p50, p99);
  };
  show("bare spawn and wait", milliseconds(bare[100]), milliseconds(bare[198]));
  show("launch to first /next", inits[inits.size() / 2], inits[inits.size() * 99 / 100]);
  show("request to response, cold", milliseconds(requests[100]), milliseconds(requests[198]));
  std::printf("  first /next above the bare one: %.2f ms at p50\n",
              inits[inits.size() / 2] - milliseconds(bare[100]));
}

void start_and_memory() {
  title("Start and memory (wanted: ready in 50 ms, 20 MiB idle, 300 KiB an idle environment)");
  std::vector<Nanoseconds> ready;
  for (int i = 0; i < 20; ++i) ready.push_back(serve().ready_after());
  std::sort(ready.begin(), ready.end());
  std::printf("  ready after                  p50 %8.2f ms   max %8.2f ms\n",
              milliseconds(ready[10]),
              milliseconds(ready.back()));

  const auto program = serve();
  const int port = port_of(program);
  const auto idle = program.status_kb("VmRSS:");
  bench::run({port, kInvoke, kSmall, 1, 1});
  const auto one = program.status_kb("VmRSS:");
  std::size_t count = 0;
  for (int tries = 0; tries < 20 && count < 64; ++tries) {
    bench::run({port, kInvoke, kSmall, 96, 1});
    count = environments(port);
  }
  const auto many = program.status_kb("VmRSS:");
  std::printf("  resident, idle               %8.1f MiB\n", static_cast<double>(idle) / 1024);
  std::printf(
      "  resident a further idle environment %.0f KiB (over %zu of them)\n",
      static_cast<double>(many - one) / static_cast<double>(std::max<std::size_t>(count, 2) - 1),
      count);
}

void large_payload() {
  title("5 MiB each way (wanted: memory grows by at most 4 payloads)");
  const auto program = serve();
  const int port = port_of(program);
  const std::string payload = "\"" + std::string((5 << 20) - 2, 'p') + "\"";
  bench::run({port, kInvoke, kSmall, 1, 50});
  program.reset_peak();
  const auto before = program.status_kb("VmHWM:");
  const auto result = bench::run({port, kInvoke, payload, 1, 10});
  const auto after = program.status_kb("VmHWM:");
  const auto payload_kb = static_cast<double>(payload.size()) / 1024;
  std::printf("  peak grows by %.1f MiB, %.2f payloads; p50 %.1f ms; %llu errors\n",
              static_cast<double>(after - before) / 1024,
              static_cast<double>(after - before) / payload_kb,
              milliseconds(result.at(50)),
              static_cast<unsigned long long>(result.errors));
}

}  // namespace

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  if (argc == 2 && std::strcmp(argv[1], "--bare-echo") == 0) bench::serve_bare_echo();
  // hearth_bench --load PORT CLIENTS CALLS: the load alone, for a server under a profiler.
  if (argc == 5 && std::strcmp(argv[1], "--load") == 0) {
    print(
        "invoke",
        bench::run({std::stoi(argv[2]), kInvoke, kSmall, std::stoi(argv[3]), std::stoi(argv[4])}));
    return 0;
  }
  const MeasuredProgram bare({"/proc/self/exe", "--bare-echo"}, "/");
  {
    const auto program = serve();
    warm(port_of(bare), port_of(program));
    many_clients(port_of(bare), port_of(program));
    cold(port_of(program));
  }
  start_and_memory();
  large_payload();
  return 0;
}
