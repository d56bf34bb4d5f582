#include "tests/bench/yardsticks.h"

#include <httplib.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <thread>

namespace bench {

void serve_bare_echo() {
  httplib::Server server;
  server.set_tcp_nodelay(true);
  server.set_keep_alive_max_count(std::numeric_limits<std::size_t>::max());
  server.new_task_queue = [] { return new httplib::ThreadPool(64); };
  server.Post("/echo", [](const httplib::Request& request, httplib::Response& response) {
    response.set_content(request.body, "application/json");
  });
  const int port = server.bind_to_any_port("127.0.0.1");
  std::printf("%d\n", port);
  std::fflush(stdout);
  server.listen_after_bind();
  std::exit(0);
}

Nanoseconds LoadResult::at(double percent) const {
  if (sorted.empty()) return {};
  const auto rank = std::ceil(percent / 100.0 * static_cast<double>(sorted.size()));
  return sorted[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

double LoadResult::per_second() const {
  return static_cast<double>(sorted.size()) / std::chrono::duration<double>(elapsed).count();
}

LoadResult run(const Load& load) {
  std::atomic<std::uint64_t> errors = 0;
  std::vector<std::vector<Nanoseconds>> latencies(static_cast<std::size_t>(load.clients));
  const auto started = std::chrono::steady_clock::now();
  std::vector<std::thread> threads;
  for (auto& mine : latencies) {
    threads.emplace_back([&load, &errors, &mine] {
      httplib::Client client("127.0.0.1", load.port);
      client.set_keep_alive(true);
      client.set_tcp_nodelay(true);
      client.set_read_timeout(60);
      mine.reserve(static_cast<std::size_t>(load.calls));
      for (int i = 0; i < load.calls; ++i) {
        const auto sent = std::chrono::steady_clock::now();
        const auto answer = client.Post(load.path, load.body, "application/json");
        mine.push_back(std::chrono::steady_clock::now() - sent);
        if (!answer || answer->status != 200 || answer->body != load.body) ++errors;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  LoadResult result;
  result.elapsed = std::chrono::steady_clock::now() - started;
  result.errors = errors;
  for (const auto& mine : latencies) {
    result.sorted.insert(result.sorted.end(), mine.begin(), mine.end());
  }
  std::sort(result.sorted.begin(), result.sorted.end());
  return result;
}

}  // namespace bench
