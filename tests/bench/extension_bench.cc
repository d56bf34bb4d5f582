// What extensions and streams cost: a warm invocation with and without extensions and a subscriber
// of telemetry, and how long the first piece of a stream is on its way. Nothing is asserted: these
// machines are shared, and only the ratios mean something.
#include "tests/bench/figures.h"
#include "tests/bench/serving.h"
#include "tests/support/scratch_folder.h"

#include <httplib.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

using bench::Caller;
using bench::Serving;

constexpr int kRounds = 7;
constexpr int kCallsOfRound = 1000;
// Long enough for extensions to be done with the last invocation and to ask for the next.
constexpr std::chrono::milliseconds kRest{2};

enum class Pace { at_once, rested };

struct Candidate {
  const char* function;
  const char* title;
};

const std::vector<Candidate> kCandidates = {
    {"plain", "without extensions"},
    {"extended", "two extensions"},
    {"watched", "two extensions, one of them a telemetry subscriber"},
    {"printing", "two extensions that print a line each"},
};

std::string function(const std::string& name,
                     const std::string& folder,
                     const std::string& layers = {}) {
  return "  " + name + ":\n    Type: AWS::Serverless::Function\n    Properties:\n" +
         "      FunctionName: " + name + "\n      CodeUri: " + folder +
         "\n      Runtime: provided.al2023\n      Handler: bootstrap\n      MemorySize: 1769\n" +
         layers;
}

std::string layer(const std::string& name) {
  return "  " + name + ":\n    Type: AWS::Serverless::LayerVersion\n    Properties:\n" +
         "      ContentUri: " + name + "\n";
}

// A project with the same function three times, and one that streams.
void write_project(const tests::ScratchFolder& project) {
  const auto add = [&](const std::string& file) {
    const auto target = project.path() / file;
    std::filesystem::create_directories(target.parent_path());
    std::filesystem::copy_file(EXTENSION_PROGRAM, target);
  };
  add("silent/extensions/silent");
  add("silent/extensions/silent.2");
  add("watching/extensions/silent");
  add("watching/extensions/collector");
  add("printers/extensions/recorder");
  add("printers/extensions/recorder.2");
  project.write("template.yaml",
                "Transform: AWS::Serverless-2016-10-31\nResources:\n" + layer("silent") +
                    layer("watching") + layer("printers") + function("plain", ECHO_PROJECT) +
                    function("extended", ECHO_PROJECT, "      Layers: [!Ref silent]\n") +
                    function("watched", ECHO_PROJECT, "      Layers: [!Ref watching]\n") +
                    function("printing", ECHO_PROJECT, "      Layers: [!Ref printers]\n") +
                    function("stream", STREAM_PROJECT));
}

double round_of(Caller& caller, const std::string& function, Pace pace) {
  std::vector<double> took;
  for (int i = 0; i < kCallsOfRound; ++i) {
    if (pace == Pace::rested) std::this_thread::sleep_for(kRest);
    const auto call = caller.invoke(function, R"({"hello":"world"})");
    if (call.status != 200) bench::give_up(function + " failed: " + call.body);
    took.push_back(bench::milliseconds(call.took));
  }
  return bench::median(took);
}

// In turns, so that a noisy neighbour meets them all.
void warm(int port, Pace pace) {
  Caller caller(port);
  std::vector<std::vector<double>> p50(kCandidates.size());
  std::vector<std::vector<double>> ratios(kCandidates.size());
  for (const auto& [function, title] : kCandidates) round_of(caller, function, Pace::at_once);
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t at = 0; at < kCandidates.size(); ++at) {
      p50[at].push_back(round_of(caller, kCandidates[at].function, pace));
      ratios[at].push_back(p50[at].back() / p50[0].back());
    }
  }
  for (std::size_t at = 0; at < kCandidates.size(); ++at) {
    std::printf("  %-52s p50 %6.3f ms   ratio: median %.2f, from %.2f to %.2f\n",
                kCandidates[at].title,
                bench::median(p50[at]),
                bench::median(ratios[at]),
                bench::at_percent(ratios[at], 0),
                bench::at_percent(ratios[at], 100));
  }
}

long long monotonic_nanoseconds() {
  return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// From the function's write until the caller has read it, both by the host's monotonic clock.
double first_piece(httplib::Client& client) {
  const std::string mark = "sent=";
  std::string heard;
  double took = 0;
  httplib::Request request;
  request.method = "POST";
  request.path = "/2021-11-15/functions/stream/response-streaming-invocations";
  request.body = R"({"pieces":3,"bytes":64,"stamp":true})";
  request.content_receiver = [&](const char* data, std::size_t size, auto, auto) {
    const auto now = monotonic_nanoseconds();
    heard.append(data, size);
    const auto at = heard.find(mark);
    if (took == 0 && at != std::string::npos) {
      took = static_cast<double>(now - std::stoll(heard.substr(at + mark.size()))) / 1e6;
    }
    return true;
  };
  const auto answer = client.send(request);
  if (!answer || answer->status != 200 || took == 0) bench::give_up("no stream: " + heard);
  return took;
}

void streams(int port) {
  bench::title("First piece of a stream, from the function's write to the caller's read (1 ms)");
  httplib::Client client("127.0.0.1", port);
  client.set_keep_alive(true);
  client.set_tcp_nodelay(true);
  std::vector<double> took;
  for (int i = 0; i < 2000; ++i) took.push_back(first_piece(client));
  std::printf("  p50 %.3f ms   p99 %.3f ms\n", bench::median(took), bench::at_percent(took, 99));
}

}  // namespace

int main() {
  const tests::ScratchFolder project;
  write_project(project);
  const Serving serving({}, project.path().string());
  bench::title("Warm invoke, one client, a rest before each (wanted: at most 1.5 times without)");
  warm(serving.port(), Pace::rested);
  bench::title("Warm invoke, one after the other: the next waits until the extensions have asked");
  warm(serving.port(), Pace::at_once);
  streams(serving.port());
  return 0;
}
