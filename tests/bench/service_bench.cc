// The control plane beside a bare answer of the same server: how many calls a second, how long a
// list of many functions takes, and how soon a server with that many is ready. Nothing is asserted:
// these machines are shared, and only the ratios mean something.
#include "tests/bench/figures.h"
#include "tests/bench/serving.h"
#include "tests/support/scratch_folder.h"

#include <httplib.h>
#include <nlohmann/json.hpp>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

namespace {

using bench::Nanoseconds;
using bench::Serving;
using Clock = std::chrono::steady_clock;

// Functions in the account; a quick run has fewer.
int functions_wanted() {
  const char* wanted = std::getenv("HEARTH_BENCH_FUNCTIONS");
  return wanted == nullptr ? 10'000 : std::atoi(wanted);
}

class Api {
 public:
  explicit Api(int port) : client_("127.0.0.1", port) {
    client_.set_keep_alive(true);
    client_.set_tcp_nodelay(true);
    client_.set_read_timeout(60);
  }

  void create(const std::string& name, const std::string& folder) {
    const nlohmann::json body = {{"FunctionName", name},
                                 {"Runtime", "provided.al2023"},
                                 {"Handler", "any"},
                                 {"Role", "arn:aws:iam::123456789012:role/any"},
                                 {"Environment", {{"Variables", {{"STAGE", "bench"}}}}},
                                 {"Code", {{"S3Bucket", "hot-reload"}, {"S3Key", folder}}}};
    expect(client_.Post("/2015-03-31/functions", body.dump(), "application/json"), 201);
  }

  void configure(const std::string& name, int memory) {
    const nlohmann::json body = {{"MemorySize", memory}};
    expect(client_.Put(
               "/2015-03-31/functions/" + name + "/configuration", body.dump(), "application/json"),
           200);
  }

  void read(const std::string& name) {
    expect(client_.Get("/2015-03-31/functions/" + name + "/configuration"), 200);
  }

  void health() { expect(client_.Get("/_hearth/health"), 200); }

  // Every page; how many functions there are.
  std::size_t list() {
    std::size_t count = 0;
    std::string marker;
    do {
      const auto path = "/2015-03-31/functions?MaxItems=50" +
                        (marker.empty() ? "" : "&Marker=" + httplib::encode_uri_component(marker));
      const auto answer = nlohmann::json::parse(expect(client_.Get(path), 200));
      count += answer["Functions"].size();
      marker = answer.value("NextMarker", "");
    } while (!marker.empty());
    return count;
  }

 private:
  static std::string expect(const httplib::Result& result, int status) {
    if (!result) bench::give_up("no answer");
    if (result->status != status) bench::give_up(result->body);
    return result->body;
  }

  httplib::Client client_;
};

Nanoseconds timed(const std::function<void()>& act) {
  const auto begun = Clock::now();
  act();
  return Clock::now() - begun;
}

void tell_rate(const char* what, int count, const std::function<void(int)>& call) {
  const auto took = timed([&] {
    for (int i = 0; i < count; ++i) call(i);
  });
  const auto seconds = std::chrono::duration<double>(took).count();
  std::printf("  %-28s %10.0f a second\n", what, count / seconds);
}

std::string name_of(int number) { return "function-" + std::to_string(number); }

void calls(const std::string& state, const std::string& folder, int count) {
  const Serving serving({"--state-dir", state}, folder);
  Api api(serving.port());
  bench::title("Calls of one client, one after the other, with --state-dir");
  tell_rate("GET /_hearth/health", count, [&](int) { api.health(); });
  tell_rate("CreateFunction", count, [&](int i) { api.create(name_of(i), folder); });
  tell_rate("GetFunctionConfiguration", count, [&](int i) { api.read(name_of(i)); });
  tell_rate("UpdateFunctionConfiguration", count, [&](int i) { api.configure(name_of(i), 256); });
  std::size_t listed = 0;
  const auto took = timed([&] { listed = api.list(); });
  std::printf(
      "  ListFunctions, all %zu of them, 50 a page: %.0f ms\n", listed, bench::milliseconds(took));
  std::printf("  resident %.1f MiB\n",
              static_cast<double>(serving.program().status_kb("VmRSS:")) / 1024);
}

void start(const std::string& state, const std::string& folder) {
  bench::title("Start with what is in the state folder (wanted: ready in 300 ms)");
  std::vector<double> full;
  std::vector<double> empty;
  for (int i = 0; i < 10; ++i) {
    full.push_back(
        bench::milliseconds(Serving({"--state-dir", state}, folder).program().ready_after()));
    empty.push_back(bench::milliseconds(Serving({}, folder).program().ready_after()));
  }
  std::printf("  ready after                  p50 %8.1f ms   max %8.1f ms\n",
              bench::median(full),
              bench::at_percent(full, 100));
  std::printf("  with an empty account        p50 %8.1f ms   max %8.1f ms\n",
              bench::median(empty),
              bench::at_percent(empty, 100));
}

}  // namespace

int main() {
  const tests::ScratchFolder scratch;
  const auto state = (scratch.path() / "state").string();
  scratch.write("code/bootstrap", "#!/bin/sh\n");
  const auto folder = (scratch.path() / "code").string();
  calls(state, folder, functions_wanted());
  start(state, folder);
  return 0;
}
