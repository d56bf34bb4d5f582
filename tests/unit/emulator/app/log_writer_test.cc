#include "emulator/app/log_writer.h"

#include <catch2/catch_test_macros.hpp>

#include <unistd.h>

#include <array>
#include <string>
#include <thread>
#include <vector>

using emulator::app::LogWriter;

namespace {

std::string read_all(int descriptor) {
  std::string all;
  std::array<char, 4096> buffer{};
  for (ssize_t length = 0; (length = ::read(descriptor, buffer.data(), buffer.size())) > 0;) {
    all.append(buffer.data(), static_cast<std::size_t>(length));
  }
  return all;
}

}  // namespace

TEST_CASE("lines of many threads arrive whole, all of them, and each thread's in order") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  std::string all;
  std::thread reader([&] { all = read_all(ends[0]); });
  constexpr int kThreads = 8;
  constexpr int kLines = 500;
  {
    LogWriter writer(ends[1]);
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&writer, thread] {
        for (int line = 0; line < kLines; ++line) {
          writer.write(std::to_string(thread) + " " + std::to_string(line) + std::string(100, 'x') +
                       "\n");
        }
      });
    }
    for (auto& thread : threads) thread.join();
  }
  ::close(ends[1]);
  reader.join();
  ::close(ends[0]);

  std::array<int, kThreads> next{};
  std::size_t at = 0;
  int wrong = 0;
  while (at < all.size()) {
    const auto end = all.find('\n', at);
    const auto thread = static_cast<std::size_t>(all[at] - '0');
    const auto wanted =
        std::to_string(thread) + " " + std::to_string(next.at(thread)++) + std::string(100, 'x');
    if (all.compare(at, end - at, wanted) != 0) ++wrong;
    at = end + 1;
  }
  CHECK(wrong == 0);
  for (const int lines : next) CHECK(lines == kLines);
}

TEST_CASE("a log that nobody can write to keeps nobody waiting") {
  LogWriter writer(-1);
  writer.write("lost\n");
  writer.write("lost too\n");
  SUCCEED("both calls returned");
}
