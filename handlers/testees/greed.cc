#include "handlers/testees/greed.h"

#include "handlers/testees/answering.h"
#include "handlers/testees/variables.h"

#include <nlohmann/json.hpp>

#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <new>
#include <string>
#include <vector>

namespace testees {
namespace {

using Json = nlohmann::ordered_json;

constexpr long kGibibyte = 1L << 30;
// More than any limit of a function, and what a host survives.
constexpr long kSeveralThousand = 5000;

std::string got(const char* what, long amount, int error) {
  return Json{{what, amount}, {"error", error_name(error)}}.dump();
}

[[noreturn]] void stay() {
  while (true) ::pause();
}

// Touches `bytes` of new memory, and keeps it.
std::string take_memory(long bytes) {
  constexpr long kStep = 1L << 20;
  constexpr long kPage = 4096;
  long taken = 0;
  for (; taken < bytes; taken += kStep) {
    void* place =
        ::mmap(nullptr, kStep, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (place == MAP_FAILED) break;
    for (long offset = 0; offset < kStep; offset += kPage) {
      static_cast<volatile char*>(place)[offset] = 1;
    }
  }
  return got("bytes", taken, taken < bytes ? errno : 0);
}

// Children that each take their share; their ends, signals as negative numbers.
std::string have_children_take_memory(long children) {
  const long share = number("TESTEE_BYTES", kGibibyte) / children;
  for (long child = 0; child < children; ++child) {
    if (::fork() != 0) continue;
    take_memory(share);
    stay();
  }
  auto ends = Json::array();
  for (int status = 0; ::wait(&status) > 0;) {
    ends.push_back(WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status));
  }
  return Json{{"ends", ends}}.dump();
}

// Writes `bytes` to a descriptor, and says how many it got there.
std::string fill(int descriptor, long bytes) {
  static constexpr std::array<char, 1 << 16> kBlock{};
  long written = 0;
  while (written < bytes) {
    const auto size = std::min<long>(bytes - written, kBlock.size());
    const auto count = ::write(descriptor, kBlock.data(), static_cast<std::size_t>(size));
    if (count <= 0) return got("bytes", written, errno);
    written += count;
  }
  return got("bytes", written, 0);
}

struct Tally {
  std::atomic<long> count = 0;
  std::atomic<int> error = 0;
};

// In memory that children share.
Tally& shared_tally() {
  void* place =
      ::mmap(nullptr, sizeof(Tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (place == MAP_FAILED) std::_Exit(EXIT_FAILURE);
  return *new (place) Tally;
}

// Every process of it forks, until one is refused or there are enough.
void multiply(Tally& tally, long enough) {
  while (tally.error == 0 && tally.count < enough) {
    const auto child = ::fork();
    if (child > 0) ++tally.count;
    if (child < 0) tally.error = errno;
  }
}

// Forks a successor and ends, on and on; at no moment does a process of it live for long.
[[noreturn]] void breed(Tally& tally, long enough) {
  while (tally.count < enough) {
    const auto child = ::fork();
    if (child > 0) std::_Exit(EXIT_SUCCESS);
    if (child == 0) ++tally.count;
  }
  std::_Exit(EXIT_SUCCESS);
}

void* stay_in_thread(void*) { stay(); }

double milliseconds(clockid_t clock) {
  timespec now{};
  ::clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

void* spin_until(void* end_ms) {
  while (milliseconds(CLOCK_MONOTONIC) < *static_cast<const double*>(end_ms)) {
  }
  return nullptr;
}

}  // namespace

int hogs_memory() {
  return answer_events(
      [](std::string_view) { return take_memory(number("TESTEE_BYTES", kGibibyte)); });
}

int hogs_memory_in_init() {
  auto answer = take_memory(number("TESTEE_BYTES", kGibibyte));
  return answer_events([&](std::string_view) { return answer; });
}

int child_hogs_memory() {
  return answer_events([](std::string_view) { return have_children_take_memory(1); });
}

int children_hog_memory() {
  return answer_events(
      [](std::string_view) { return have_children_take_memory(number("TESTEE_COUNT", 8)); });
}

int hogs_memory_behind_a_descriptor() {
  return answer_events([](std::string_view) {
    const int file = ::memfd_create("testee", MFD_CLOEXEC);
    return fill(file, number("TESTEE_BYTES", kGibibyte));
  });
}

int fills_disk() {
  return answer_events([](std::string_view) {
    const auto name = variable("TESTEE_FILE", "/tmp/filler");
    const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0) return got("bytes", 0, errno);
    auto answer = fill(file, number("TESTEE_BYTES", kGibibyte));
    ::close(file);
    return answer;
  });
}

int fills_disk_with_files() {
  return answer_events([](std::string_view) {
    const long enough = number("TESTEE_COUNT", 1'000'000);
    for (long count = 0; count < enough; ++count) {
      const auto name = "/tmp/filler-" + std::to_string(count);
      const int file = ::open(name.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
      if (file < 0) return got("files", count, errno);
      ::close(file);
    }
    return got("files", enough, 0);
  });
}

int hogs_descriptors() {
  return answer_events([](std::string_view) {
    const long enough = number("TESTEE_COUNT", 100'000);
    std::vector<int> taken;
    while (static_cast<long>(taken.size()) < enough) {
      const int descriptor = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
      if (descriptor < 0) break;
      taken.push_back(descriptor);
    }
    const int error = errno;
    const auto count = static_cast<long>(taken.size());
    const int highest = taken.empty() ? -1 : taken.back();
    // It must speak again.
    for (const int descriptor : taken) ::close(descriptor);
    return Json{{"descriptors", count},
                {"highest", highest},
                {"error", error_name(count < enough ? error : 0)}}
        .dump();
  });
}

int bombs_processes() {
  return answer_events([](std::string_view) {
    auto& tally = shared_tally();
    const auto first = ::getpid();
    multiply(tally, number("TESTEE_COUNT", kSeveralThousand));
    if (::getpid() != first) stay();
    return got("processes", tally.count, tally.error);
  });
}

int breeds_processes() {
  return answer_events([](std::string_view) {
    constexpr int kLines = 16;
    constexpr long kWellUnderWay = 100;
    std::signal(SIGCHLD, SIG_IGN);
    auto& tally = shared_tally();
    const long enough = number("TESTEE_COUNT", 1'000'000);
    for (int line = 0; line < kLines; ++line) {
      if (::fork() == 0) breed(tally, enough);
    }
    while (tally.count < std::min(enough, kWellUnderWay)) ::sched_yield();
    return got("processes", kWellUnderWay, 0);
  });
}

int bombs_threads() {
  return answer_events([](std::string_view) {
    const long enough = number("TESTEE_COUNT", kSeveralThousand);
    pthread_attr_t small;
    ::pthread_attr_init(&small);
    ::pthread_attr_setstacksize(&small, 1 << 16);
    long count = 0;
    int error = 0;
    for (pthread_t thread{}; count < enough; ++count) {
      error = ::pthread_create(&thread, &small, stay_in_thread, nullptr);
      if (error != 0) break;
    }
    ::pthread_attr_destroy(&small);
    return got("threads", count, error);
  });
}

int spins_in_threads() {
  return answer_events([](std::string_view) {
    constexpr int kThreads = 4;
    const double begin_ms = milliseconds(CLOCK_MONOTONIC);
    const double begin_cpu_ms = milliseconds(CLOCK_PROCESS_CPUTIME_ID);
    double end_ms = begin_ms + static_cast<double>(number("TESTEE_DELAY_MS", 1000));
    std::array<pthread_t, kThreads> threads{};
    for (auto& thread : threads) ::pthread_create(&thread, nullptr, spin_until, &end_ms);
    for (auto& thread : threads) ::pthread_join(thread, nullptr);
    return Json{{"wall_ms", milliseconds(CLOCK_MONOTONIC) - begin_ms},
                {"cpu_ms", milliseconds(CLOCK_PROCESS_CPUTIME_ID) - begin_cpu_ms}}
        .dump();
  });
}

}  // namespace testees
