// hearth replay, as a shell sees it: result lines, the table, exit statuses.
#include "tests/end_to_end/hearth_program.h"

#include <catch2/catch_test_macros.hpp>

#include <csignal>
#include <sstream>
#include <string>
#include <vector>

using nlohmann::json;
using tests::ScratchFolder;
using tests::Words;

namespace {

tests::Ended replay(Words arguments, tests::HearthStart start = {}) {
  arguments.insert(arguments.begin(), "replay");
  return tests::run_hearth(std::move(arguments), std::move(start));
}

tests::Ended replay_echo(Words more, tests::HearthStart start = {}) {
  Words words = {"--template", tests::handler_template("echo-cpp")};
  words.insert(words.end(), more.begin(), more.end());
  return replay(std::move(words), std::move(start));
}

std::vector<json> results_of(const std::string& lines) {
  std::vector<json> results;
  std::istringstream in(lines);
  for (std::string line; std::getline(in, line);) results.push_back(json::parse(line));
  return results;
}

std::string numbered(int count) {
  std::string text;
  for (int i = 1; i <= count; ++i) text += "{\"n\":" + std::to_string(i) + "}\n";
  return text;
}

json summary_of(const std::string& errors) {
  const auto end = errors.find_last_not_of('\n');
  const auto start = errors.rfind('\n', end);
  return json::parse(errors.substr(start == std::string::npos ? 0 : start + 1));
}

bool holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// A Python function from source text, as flags.
Words python_function(const ScratchFolder& folder, const std::string& source) {
  folder.write("code/app.py", source);
  return {"--code",
          (folder.path() / "code").string(),
          "--runtime",
          "python3.11",
          "--handler",
          "app.handler"};
}

}  // namespace

TEST_CASE("each event's result is a line of standard output, in the order of the events",
          "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", numbered(500));
  const auto document = folder.write("one.json", "{\n  \"n\" : 501\n}\n");
  const auto ended = replay_echo({file, document, "--concurrency", "8", "--summary", "json"});
  INFO(ended.errors.substr(0, 2000));
  CHECK(ended.status == 0);
  const auto results = results_of(ended.output);
  REQUIRE(results.size() == 501);
  for (std::size_t i = 0; i < results.size(); ++i) {
    CHECK(results[i]["position"] == i + 1);
    CHECK(results[i]["response"]["n"] == i + 1);
    CHECK(results[i]["outcome"] == "responded");
    CHECK(results[i]["duration_ms"].is_number());
  }
  CHECK(results[0]["cold"] == true);
  CHECK(results[500]["file"] == document);
  const auto summary = summary_of(ended.errors);
  CHECK(summary["events"] == 501);
  CHECK(summary["errors"] == 0);
  CHECK(summary["cold_starts"] >= 1);
  CHECK(summary["billed_ms"] >= 501);
  CHECK(summary["estimated_cost_usd"] > 0);
}

TEST_CASE("events come from standard input, and so do Hearth's own records", "[replay]") {
  const auto first = replay_echo({"-", "--keep-events"}, {.input = "{\"n\" : 1}\n2\n"});
  INFO(first.errors);
  CHECK(first.status == 0);
  const auto again = replay_echo({"-"}, {.input = first.output});
  CHECK(again.status == 0);
  const auto results = results_of(again.output);
  REQUIRE(results.size() == 2);
  CHECK(holds(again.output, "\"response\":{\"n\" : 1}"));
  CHECK(results[0]["input_sha256"] == results_of(first.output)[0]["input_sha256"]);
}

TEST_CASE("a broken line is told with its number, and the rest goes on", "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", "1\n{\"torn\":\n3\n");
  const auto ended = replay_echo({file});
  CHECK(ended.status == 2);
  CHECK(results_of(ended.output).size() == 2);
  CHECK(holds(ended.errors, "hearth: " + file + ":2: not JSON at byte"));
}

TEST_CASE("a function that fails gives status 1, and its errors are counted by kind", "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", "1\nbroken\n0\n0\n");
  Words words = python_function(folder, "def handler(event, context): return 1 / event\n");
  words.insert(words.end(), {file, "--summary", "json"});
  const auto ended = replay(words);
  INFO(ended.errors);
  CHECK(ended.status == 1);
  const auto summary = summary_of(ended.errors);
  CHECK(summary["errors_by_type"] == json{{"ZeroDivisionError", 2}});
  CHECK(summary["broken"] == 1);
  const auto results = results_of(ended.output);
  CHECK(results[1]["outcome"] == "function_error");
  CHECK(results[1]["response"]["errorMessage"] == "division by zero");
}

TEST_CASE("a run is compared with a saved one, whose responses may differ where told", "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", numbered(3));
  const auto saved = (folder.path() / "saved.jsonl").string();
  const auto with = [&](const std::string& source, Words more) {
    Words words = python_function(folder, source);
    words.push_back(file);
    words.insert(words.end(), more.begin(), more.end());
    return replay(words);
  };
  const std::string before =
      "def handler(event, context): return {'n': event['n'], 'id': context.aws_request_id}\n";
  const std::string reordered =
      "def handler(event, context): return {'id': context.aws_request_id, 'n': 1.0 * event['n']}\n";
  const std::string other = "def handler(event, context): return {'n': max(event['n'], 2)}\n";
  CHECK(with(before, {"--save", saved}).status == 0);
  CHECK(results_of(folder.read("saved.jsonl")).size() == 3);

  const auto same = with(reordered, {"--compare", saved, "--ignore", "/id"});
  INFO(same.errors);
  CHECK(same.status == 0);
  CHECK(holds(same.errors, "compared: 3 the same, 0 different, 0 missing, 0 new"));

  const auto ids = with(reordered, {"--compare", saved});
  CHECK(ids.status == 1);
  CHECK(holds(ids.errors, ": /id was "));

  const auto different = with(other, {"--compare", saved, "--ignore", "/id"});
  CHECK(different.status == 1);
  CHECK(holds(different.errors, "hearth: event 1 (" + file + ":1): /n was 1, is 2\n"));
  CHECK(holds(different.errors, "compared: 2 the same, 1 different, 0 missing, 0 new"));

  folder.write("events.jsonl", numbered(2) + "9\n" + numbered(1));
  const auto longer = replay_echo({file, "--compare", saved, "--ignore", ""});
  CHECK(longer.status == 1);
  CHECK(holds(longer.errors, "is another event"));
  CHECK(holds(longer.errors, "event 4 (" + file + ":4) is new"));
}

TEST_CASE("events of one key reach the function in order", "[replay]") {
  const ScratchFolder folder;
  std::string events;
  for (int i = 0; i < 200; ++i) {
    events += "{\"k\":\"" + std::string(1, static_cast<char>('a' + i % 3)) +
              "\",\"n\":" + std::to_string(i) + "}\n";
  }
  const auto file = folder.write("events.jsonl", events);
  const auto ended = replay_echo({file, "--order-key", "/k", "-c", "6"});
  CHECK(ended.status == 0);
  // The log tells the order in which invocations began, and results which was whose.
  std::map<std::string, std::pair<std::string, int>> of_request;
  for (const auto& result : results_of(ended.output)) {
    of_request[result["request_id"]] = {result["response"]["k"], result["response"]["n"]};
  }
  CHECK(of_request.size() == 200);
  std::map<std::string, int> last;
  std::istringstream log(ended.errors);
  for (std::string line; std::getline(log, line);) {
    if (!line.starts_with("START RequestId: ")) continue;
    const auto [key, number] = of_request.at(line.substr(17, 36));
    if (last.contains(key)) CHECK(number > last[key]);
    last[key] = number;
  }
}

TEST_CASE("a replay that was killed goes on behind its last result", "[replay]") {
  const ScratchFolder folder;
  const ScratchFolder temporary;
  const auto file = folder.write("events.jsonl", numbered(20'000));
  const auto output = (folder.path() / "results.jsonl").string();
  const Words words = {"replay",
                       file,
                       "--template",
                       tests::handler_template("echo-cpp"),
                       "--output",
                       output,
                       "-c",
                       "2",
                       "--save",
                       (folder.path() / "saved").string()};
  {
    Words argv = words;
    argv.insert(argv.begin(), HEARTH_BINARY_DIR "/bin/hearth");
    tests::RunningProgram program(
        {.argv = argv, .variables = {{"TMPDIR", temporary.path().string()}}});
    for (int i = 0; i < 200; ++i) program.await_errors("REPORT RequestId");
    while (folder.read("results.jsonl").size() < 10'000) program.await_errors("REPORT RequestId");
    program.signal(SIGKILL);
    CHECK(program.wait().status == 128 + SIGKILL);
    CHECK(tests::survivors().empty());
  }
  // What a kill in the middle of a write leaves.
  auto torn = folder.read("results.jsonl");
  torn.resize(torn.size() - 30);
  folder.write("results.jsonl", torn);
  Words again = words;
  again.insert(again.end(), {"--resume", "--summary", "json"});
  const auto ended = tests::run_hearth(again, {.kept_bytes = 10'000});
  CHECK(ended.status == 0);
  const auto results = results_of(folder.read("results.jsonl"));
  REQUIRE(results.size() == 20'000);
  for (std::size_t i = 0; i < results.size(); ++i) {
    if (results[i]["position"] != i + 1 || results[i]["response"]["n"] != i + 1) FAIL(i);
  }
  CHECK(results_of(folder.read("saved")).size() == 20'000);
  const auto summary = summary_of(ended.errors);
  CHECK(summary["events"] == 20'000);
  CHECK(summary["done_before"] >= 20);

  folder.write("events.jsonl", "{\"n\":0}\n" + numbered(20'000));
  const auto changed = tests::run_hearth(again);
  CHECK(changed.status == 2);
  CHECK(tests::is_one_sentence(changed.errors));
  CHECK(holds(changed.errors, "is another one"));
  CHECK(results_of(folder.read("results.jsonl")).size() == 20'000);
}

TEST_CASE("a replay that is interrupted keeps what was done and can be taken up again",
          "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", numbered(3));
  const auto output = (folder.path() / "results.jsonl").string();
  Words words = {
      HEARTH_BINARY_DIR "/bin/hearth", "replay", file, "--output", output, "--timeout", "60"};
  const auto flags = tests::testee("sleeps_forever");
  words.insert(words.end(), flags.begin(), flags.end());
  tests::RunningProgram program({.argv = words});
  program.await_errors("START RequestId");
  program.signal(SIGINT);
  const auto ended = program.wait();
  CHECK(ended.status == 1);
  CHECK(holds(ended.errors, "--resume goes on from here"));
  CHECK(tests::survivors().empty());
  CHECK(folder.read("results.jsonl").empty());
  const auto resumed = replay_echo({file, "--output", output, "--resume"});
  CHECK(resumed.status == 0);
  CHECK(results_of(folder.read("results.jsonl")).size() == 3);
}

TEST_CASE("an interrupted replay does not wait for standard input", "[replay]") {
  tests::RunningProgram program(
      {.argv = {"sh",
                "-c",
                "exec 3<>\"$1\"; echo 1 >&3; exec \"$2\" replay - --template \"$3\" <&3",
                "sh",
                [] {
                  static const ScratchFolder folder;
                  const auto pipe = (folder.path() / "pipe").string();
                  CHECK(tests::run_program({.argv = {"mkfifo", pipe}}).status == 0);
                  return pipe;
                }(),
                HEARTH_BINARY_DIR "/bin/hearth",
                tests::handler_template("echo-cpp")}});
  program.await_errors("REPORT RequestId");
  program.signal(SIGTERM);
  CHECK(program.wait().status == 1);
}

TEST_CASE("wrong use of replay is one sentence and runs nothing", "[replay]") {
  const ScratchFolder folder;
  const auto file = folder.write("events.jsonl", "1\n");
  const auto precious = folder.write("precious", "text\n");
  const std::vector<Words> wrong = {{file, "--resume"},
                                    {file, "--pace", "fast"},
                                    {file, "--order-key", "k"},
                                    {file, "--compare", file, "--ignore", "k"},
                                    {file, "--ignore", "/k"},
                                    {file, "--output", file},
                                    {file, "--save", file},
                                    {"-", "-"},
                                    {folder.path().string()},
                                    {(folder.path() / "absent").string()},
                                    {file, "--output", precious, "--resume"},
                                    {file, "--function", "Absent"},
                                    {}};
  for (const auto& words : wrong) {
    INFO(json(words).dump());
    const auto ended = replay_echo(words);
    CHECK(ended.status == 2);
    CHECK(tests::is_one_sentence(ended.errors));
    CHECK(ended.output.empty());
  }
  CHECK(folder.read("events.jsonl") == "1\n");
  CHECK(folder.read("precious") == "text\n");
}
