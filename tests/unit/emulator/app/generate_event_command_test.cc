#include "emulator/app/generate_event_command.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

using namespace emulator::app;
using nlohmann::json;

namespace {

const fixtures::Instant kNow{std::chrono::milliseconds{1545084650987}};

struct Run {
  int status;
  std::string out;
  std::string err;
};

Run run(const std::vector<std::string>& arguments, const std::string& input = "") {
  std::istringstream in(input);
  std::ostringstream out;
  std::ostringstream err;
  const int status = run_generate_event(arguments, {kNow, 1, in, out, err});
  return {status, out.str(), err.str()};
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("an event is printed as JSON indented by two and nothing else", "[generate-event]") {
  const auto made = run({"s3", "put", "--bucket", "b", "--key=a b"});
  CHECK(made.status == 0);
  CHECK(made.err.empty());
  CHECK(made.out.starts_with("{\n  \"Records\": [\n    {\n      \"eventVersion\": \"2.1\""));
  CHECK(made.out.ends_with("}\n"));
  const auto event = json::parse(made.out);
  CHECK(event["Records"][0]["s3"]["bucket"]["arn"] == "arn:aws:s3:::b");
  CHECK(event["Records"][0]["s3"]["object"]["key"] == "a+b");
}

TEST_CASE("a compact event is one line with the same content", "[generate-event]") {
  const auto compact = run({"sqs", "receive-message", "--compact"});
  CHECK(compact.status == 0);
  CHECK(std::count(compact.out.begin(), compact.out.end(), '\n') == 1);
  CHECK(json::parse(compact.out) == json::parse(run({"sqs", "receive-message"}).out));
}

TEST_CASE("options may stand before, between and after the names", "[generate-event]") {
  const auto expected = run({"sqs", "receive-message", "--compact", "--body", "x"});
  CHECK(run({"--compact", "sqs", "--body", "x", "receive-message"}).out == expected.out);
  CHECK(run({"sqs", "--body=x", "receive-message", "--compact", "--output", "json"}).out ==
        expected.out);
}

TEST_CASE("a value may be empty, begin with a dash or hold an equals sign", "[generate-event]") {
  auto body = [](const std::vector<std::string>& arguments) {
    return json::parse(run(arguments).out)["Records"][0]["body"].get<std::string>();
  };
  CHECK(body({"sqs", "receive-message", "--body", ""}) == "");
  CHECK(body({"sqs", "receive-message", "--body", "-x"}) == "-x");
  CHECK(body({"sqs", "receive-message", "--body", "--not-a-tag"}) == "--not-a-tag");
  CHECK(body({"sqs", "receive-message", "--body=--region"}) == "--region");
  CHECK(body({"sqs", "receive-message", "--body=a=b"}) == "a=b");
}

TEST_CASE("wrong usage is told in one sentence on the error stream with status 2",
          "[generate-event]") {
  struct Row {
    std::vector<std::string> arguments;
    std::string told;
  };
  const std::vector<Row> table = {
      {{}, "SERVICE and EVENT are missing"},
      {{"s3"}, "EVENT is missing after s3"},
      {{"sqz", "receive-message"}, "did you mean 'sqs'"},
      {{"sqs", "recieve-message"}, "did you mean 'receive-message'"},
      {{"sqs", "receive-message", "--boddy", "x"}, "did you mean 'body'"},
      {{"sqs", "receive-message", "--body"}, "--body has no value"},
      {{"sqs", "receive-message", "--body", "--region", "eu-west-1"}, "--body has no value"},
      {{"sqs", "receive-message", "--from"}, "--from has no value"},
      {{"sqs", "receive-message", "extra"}, "'extra' follows"},
      {{"sqs", "receive-message", "--output", "yaml"}, "--output cannot be 'yaml'"},
      {{"sqs", "receive-message", "--batch-size", "5"}, "--batch-size cuts the records of --from"},
      {{"sqs", "receive-message", "--message-attributes", "{"}, "--message-attributes cannot be"},
      {{"apigateway", "aws-proxy", "--querystringparameters", "x"}, "give a JSON object"},
      {{"s3", "put", "--key", "\xff"}, "--key is not UTF-8"},
      {{"nothing", "--list"}, "there is no service 'nothing'"},
      {{"nothing", "--help"}, "there is no service 'nothing'"},
      {{"s3", "nothing", "--help"}, "s3 has no event 'nothing'"},
  };
  for (const auto& row : table) {
    const auto refused = run(row.arguments);
    INFO(refused.err);
    CHECK(refused.status == 2);
    CHECK(refused.out.empty());
    CHECK(contains(refused.err, row.told));
    CHECK(refused.err.starts_with("hearth generate-event: "));
    CHECK(std::count(refused.err.begin(), refused.err.end(), '\n') == 1);
  }
}

TEST_CASE("the list shows every service, event, tag and default", "[generate-event]") {
  const auto listed = run({"--list"});
  CHECK(listed.status == 0);
  for (const auto& kind : fixtures::kinds()) {
    CHECK(contains(listed.out, "\n  " + kind.event + ": "));
    for (const auto& tag : kind.tags) {
      CHECK(contains(listed.out, "--" + tag.name + " "));
      CHECK(contains(listed.out, tag.default_value));
    }
  }
  const auto one = run({"sqs", "--list"});
  CHECK(one.status == 0);
  CHECK(contains(one.out, "receive-message"));
  CHECK_FALSE(contains(one.out, "aws-proxy"));
}

TEST_CASE("help is given for the command, a service and an event", "[generate-event]") {
  for (const auto* flag : {"--help", "-h"}) {
    CHECK(contains(run({flag}).out, "--from FILE"));
    const auto service = run({"s3", flag});
    CHECK(service.status == 0);
    CHECK(contains(service.out, "complete-multipart-upload"));
    const auto event = run({"s3", "put", flag});
    CHECK(event.status == 0);
    CHECK(contains(event.out, "--bucket"));
    CHECK_FALSE(contains(event.out, "complete-multipart-upload"));
  }
}

TEST_CASE("lines become one event a line and the error stream says how they were cut",
          "[generate-event]") {
  const auto made =
      run({"sqs", "receive-message", "--from", "-", "--batch-size", "2"}, "a\n\nb\nc\n");
  CHECK(made.status == 0);
  CHECK(made.err ==
        "hearth: 3 records in 2 events; 1 empty line passed over, the first is line 2\n");
  std::istringstream lines(made.out);
  std::string line;
  std::string bodies;
  while (std::getline(lines, line)) {
    const json records = json::parse(line)["Records"];
    for (const auto& record : records) bodies += record["body"];
  }
  CHECK(bodies == "abc");
}

TEST_CASE("lines are read from a file", "[generate-event]") {
  const auto path = std::filesystem::temp_directory_path() / "hearth-generate-event-lines.txt";
  std::ofstream(path) << "one\ntwo";
  const auto made = run({"kinesis", "get-records", "--from", path.string()});
  std::filesystem::remove(path);
  CHECK(made.status == 0);
  CHECK(json::parse(made.out)["Records"].size() == 2);
  CHECK(made.err == "hearth: 2 records in 1 event\n");
}

TEST_CASE("what cannot be read or cut is refused with status 2", "[generate-event]") {
  struct Row {
    std::vector<std::string> arguments;
    std::string told;
  };
  const std::vector<Row> table = {
      {{"sqs", "receive-message", "--from", "/no/such/file"}, "--from cannot read"},
      {{"sqs", "receive-message", "--from", "/"}, "--from cannot read"},
      {{"s3", "put", "--from", "-"}, "cannot be made from lines"},
      {{"sqs", "receive-message", "--from", "-", "--body", "x"}, "--body and --from"},
      {{"sqs", "receive-message", "--from", "-", "--batch-size", "0"}, "--batch-size cannot be"},
      {{"sqs", "receive-message", "--from", "-", "--batch-size", "2x"}, "--batch-size cannot be"},
      {{"sqs", "receive-message", "--from", "-", "--batch-size", "10001"}, "largest is 10000"},
      {{"sqs", "receive-message-fifo", "--from", "-", "--batch-size", "11"}, "largest is 10"},
      {{"sqs", "receive-message", "--from", "-", "--buffer-mb", "1"}, "--buffer-mb does not fit"},
      {{"firehose", "direct-put", "--from", "-", "--batch-size", "1"}, "--batch-size does not fit"},
      {{"firehose", "direct-put", "--from", "-", "--buffer-mb", "4"}, "give 0.2 to 3"},
      {{"firehose", "direct-put", "--from", "-", "--buffer-mb", "nan"}, "give 0.2 to 3"},
      {{"firehose", "direct-put", "--from", "-", "--buffer-mb", "1x"}, "give 0.2 to 3"},
  };
  for (const auto& row : table) {
    const auto refused = run(row.arguments, "a\n");
    INFO(refused.err);
    CHECK(refused.status == 2);
    CHECK(refused.out.empty());
    CHECK(contains(refused.err, row.told));
  }
  CHECK(run({"sqs", "receive-message", "--from", "-"}, "").status == 2);
  CHECK(contains(run({"sqs", "receive-message", "--from", "-"}, "a\n\xff").err, "line 2"));
  CHECK(run({"firehose", "direct-put", "--from", "-", "--buffer-mb", "0.2"}, "a").status == 0);
  CHECK(run({"firehose", "direct-put", "--from", "-", "--buffer-mb", "3"}, "a").status == 0);
}

TEST_CASE("another command gets a fixture by its name and settings", "[generate-event]") {
  const fixtures::GeneratorWorld world{kNow, fixtures::seeded_random(1)};
  const std::vector<std::string> settings = {"body=a=b", "queue-name=q"};
  const auto event = fixture_event("sqs/receive-message", settings, world);
  REQUIRE(event);
  const auto record = json::parse(*event)["Records"][0];
  CHECK(record["body"] == "a=b");
  CHECK(record["eventSourceARN"] == "arn:aws:sqs:us-east-1:123456789012:q");
}

TEST_CASE("a fixture that does not exist or is set wrongly is refused", "[generate-event]") {
  const fixtures::GeneratorWorld world{kNow, fixtures::seeded_random(1)};
  CHECK(contains(fixture_event("sqs", {}, world).error().message, "SERVICE/EVENT"));
  CHECK(contains(fixture_event("sqs/recieve-message", {}, world).error().message,
                 "did you mean 'receive-message'"));
  for (const std::string bad : {"body", "=x", ""}) {
    const std::vector<std::string> settings = {bad};
    CHECK(contains(fixture_event("sqs/receive-message", settings, world).error().message,
                   "write TAG=VALUE"));
  }
}
