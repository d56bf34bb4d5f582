// Replay beside repeated invokes of the same function: how fast, and in how much memory. Nothing is
// asserted: these machines are shared, and only the ratios mean something.
#include "tests/bench/figures.h"
#include "tests/support/scratch_folder.h"

#include <nlohmann/json.hpp>

#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

namespace {

using tests::ScratchFolder;

const std::string kTemplate = std::string(ECHO_PROJECT) + "/template.yaml";

std::string event(int number) {
  return "{\"n\":" + std::to_string(number) + ",\"hello\":\"world\"}";
}

std::string write_events(const ScratchFolder& folder, int count) {
  const auto name = (folder.path() / (std::to_string(count) + ".jsonl")).string();
  std::ofstream file(name, std::ios::binary);
  for (int i = 0; i < count; ++i) file << event(i) << '\n';
  return name;
}

// Runs a command of Hearth's in a shell, which leaves out all but the last line of what it says.
nlohmann::json last_line(const std::string& arguments) {
  const auto command =
      "'" HEARTH_PROGRAM "' " + arguments + " --template '" + kTemplate + "' | tail -n 1";
  auto* const output = ::popen(command.c_str(), "r");
  if (output == nullptr) bench::give_up("no shell");
  std::string text;
  std::array<char, 4096> buffer{};
  while (const auto read = std::fread(buffer.data(), 1, buffer.size(), output)) {
    text.append(buffer.data(), read);
  }
  ::pclose(output);
  return nlohmann::json::parse(text);
}

double invokes_per_second(int count, const std::string& concurrency) {
  return last_line("invoke --payload '" + event(1) + "' --output json --count " +
                   std::to_string(count) + " -c " + concurrency + " 2>/dev/null")["per_second"];
}

nlohmann::json replayed(const std::string& events, const std::string& concurrency) {
  return last_line("replay '" + events + "' --output '" + events +
                   ".results' --summary json 2>&1 -c " + concurrency);
}

// The two are measured in turns, so that a noisy neighbour meets both.
void speed(int count) {
  bench::title("Replay (wanted: at least 0.8 of the invocations a second of invoke --count)");
  const ScratchFolder folder;
  const auto events = write_events(folder, count);
  for (const std::string concurrency : {"1", "4", "16"}) {
    std::vector<double> ratios;
    double invokes = 0;
    double replays = 0;
    for (int round = 0; round < 5; ++round) {
      invokes = invokes_per_second(count, concurrency);
      replays = replayed(events, concurrency)["per_second"];
      ratios.push_back(replays / invokes);
    }
    std::printf("  concurrency %2s: %8.0f invoked, %8.0f replayed a second; ratio: median %.2f\n",
                concurrency.c_str(),
                invokes,
                replays,
                bench::median(ratios));
  }
}

// The peak of the largest child so far: the longer run goes second.
void memory(int count) {
  bench::title("Memory of a replay (wanted: the same for any number of events)");
  const ScratchFolder folder;
  long before = 0;
  for (const int events : {std::max(count / 100, 1), count}) {
    const auto summary = replayed(write_events(folder, events), "4");
    rusage usage{};
    ::getrusage(RUSAGE_CHILDREN, &usage);
    std::printf("  %8d events: peak %.1f MiB%s\n",
                summary["events"].get<int>(),
                static_cast<double>(usage.ru_maxrss) / 1024,
                before == 0 ? "" : ", the longer run");
    before = usage.ru_maxrss;
  }
}

int number_from(const char* variable, int otherwise) {
  const char* value = std::getenv(variable);  // NOLINT(concurrency-mt-unsafe): one thread
  const int number = value != nullptr ? std::atoi(value) : 0;
  return number > 0 ? number : otherwise;
}

}  // namespace

// HEARTH_BENCH_EVENTS: of the memory's longer run, for a quick look.
int main() {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const int events = number_from("HEARTH_BENCH_EVENTS", 1'000'000);
  speed(std::min(events, 20'000));
  memory(events);
  return 0;
}
