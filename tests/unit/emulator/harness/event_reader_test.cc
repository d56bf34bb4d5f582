#include "emulator/harness/event_reader.h"

#include "emulator/harness/record.h"
#include "emulator/invoke/json_syntax.h"
#include "tests/unit/emulator/harness/text_source.h"

#include <catch2/catch_test_macros.hpp>

#include <map>
#include <string>
#include <vector>

using namespace emulator::harness;

namespace {

struct Read {
  std::vector<Event> events;
  std::vector<BrokenEvent> broken;

  std::vector<std::string> payloads() const {
    std::vector<std::string> payloads;
    for (const auto& event : events) payloads.push_back(event.payload);
    return payloads;
  }
};

Read read_files(std::map<std::string, std::string> texts, std::size_t piece = SIZE_MAX) {
  std::vector<std::string> names;
  for (const auto& [name, _] : texts) names.push_back(name);
  EventReader reader(names, [&](const std::string& name) -> tl::expected<ByteSource, HarnessError> {
    if (texts.at(name) == "absent") {
      return tl::unexpected(HarnessError{"it cannot be opened"});
    }
    return tests::text_source(texts.at(name), piece);
  });
  Read read;
  while (true) {
    auto next = reader.next();
    if (std::holds_alternative<EndOfEvents>(next)) return read;
    if (auto* event = std::get_if<Event>(&next)) read.events.push_back(std::move(*event));
    if (auto* broken = std::get_if<BrokenEvent>(&next)) read.broken.push_back(std::move(*broken));
  }
}

Read read_text(const std::string& text, std::size_t piece = SIZE_MAX) {
  return read_files({{"f", text}}, piece);
}

using Payloads = std::vector<std::string>;

}  // namespace

TEST_CASE("a line is an event, byte for byte, without the white space around it", "[harness]") {
  const auto read = read_text("\xEF\xBB\xBF{ \"a\" :1.0}\r\n\n  \t\n  [1, 2] \n\"\xC3\xA9\"\nnull");
  CHECK(read.payloads() == Payloads{"{ \"a\" :1.0}", "[1, 2]", "\"\xC3\xA9\"", "null"});
  CHECK(read.broken.empty());
  CHECK(read.events[1].line == 4);
  CHECK(read.events[3].position == 4);
}

TEST_CASE("a file that is one document over several lines is one event", "[harness]") {
  const std::string document = "{\n  \"a\": [\n    1\n  ]\n}";
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, SIZE_MAX}) {
    const auto read = read_text("\n" + document + "\n\n", piece);
    CHECK(read.payloads() == Payloads{document});
    CHECK(read.events[0].line == 2);
  }
  CHECK(read_text("[\n1,\n2\n]").payloads() == Payloads{"[\n1,\n2\n]"});
  CHECK(read_text("[1,2]\n").payloads() == Payloads{"[1,2]"});
}

TEST_CASE("a torn first line breaks itself and not the file", "[harness]") {
  const auto read = read_text("{\"a\":\n{\"b\":1}\n");
  CHECK(read.payloads() == Payloads{"{\"b\":1}"});
  REQUIRE(read.broken.size() == 1);
  CHECK(read.broken[0].message.starts_with("f:1: not JSON"));
  CHECK(read.broken[0].position == 1);
  CHECK(read.events[0].position == 2);
}

TEST_CASE("what is no JSON is told with file and line, and the rest goes on", "[harness]") {
  const auto read = read_text(std::string("1\nnonsense\n{\"a\":\"\xFF\"}\n\"\0\"\n2\n", 27));
  CHECK(read.payloads() == Payloads{"1", "2"});
  REQUIRE(read.broken.size() == 3);
  CHECK(read.broken[0].message.starts_with("f:2: not JSON at byte 2"));
  CHECK(read.broken[1].message.starts_with("f:3: "));
  CHECK(read.broken[2].message.starts_with("f:4: "));
  CHECK(read.events[1].position == 5);
}

TEST_CASE("an event over Lambda's limit is told, and one beyond any line is not held",
          "[harness]") {
  const auto quoted_of = [](std::size_t size) { return '"' + std::string(size - 2, 'x') + '"'; };
  const auto read =
      read_text("1\n" + quoted_of(kMaxEventBytes) + "\n" + quoted_of(kMaxEventBytes + 1) + "\n" +
                quoted_of(kMaxLineBytes + 10) + "\n2\n");
  REQUIRE(read.events.size() == 3);
  CHECK(read.events[1].payload.size() == kMaxEventBytes);
  CHECK(read.events[2].payload == "2");
  REQUIRE(read.broken.size() == 2);
  CHECK(read.broken[0].message.find("6291456") != std::string::npos);
  CHECK(read.broken[1].message.find("skipped") != std::string::npos);
}

TEST_CASE("files follow one another, and one that cannot be read is told", "[harness]") {
  const auto read = read_files({{"a", "1\n2"}, {"b", "absent"}, {"c", ""}, {"d", "3"}});
  CHECK(read.payloads() == Payloads{"1", "2", "3"});
  CHECK(read.events[2].file == 3);
  CHECK(read.events[2].position == 3);
  REQUIRE(read.broken.size() == 1);
  CHECK(read.broken[0].message == "b: it cannot be opened");
  CHECK(read.broken[0].position == 0);
}

TEST_CASE("of a record its event is sent, byte for byte, and its time is known", "[harness]") {
  const auto time = parse_iso_time("2026-01-13T10:00:00.250Z");
  const auto line = record_line(
      {.event = "{\"a\" : 1.0,\r\n \"b\":[]}", .time = time, .function = "f\"", .request_id = "r"});
  const auto read = read_text(line + "{\"event\":2,\"hearth_record\" : 1}\n");
  CHECK(read.payloads() == Payloads{"{\"a\" : 1.0,   \"b\":[]}", "2"});
  CHECK(read.events[0].recorded == time);
  CHECK_FALSE(read.events[1].recorded);
  const auto record = read_record(line);
  REQUIRE(record);
  CHECK((*record)->function == "f\"");
  CHECK((*record)->request_id == "r");
}

TEST_CASE("an event that only mentions records is an event", "[harness]") {
  const std::string event = R"({"body":"{\"hearth_record\":1}","x":{"hearth_record":1}})";
  CHECK(read_text(event).payloads() == Payloads{event});
}

TEST_CASE("a record without its event, of another version or torn is told", "[harness]") {
  const auto read = read_text(
      "1\n{\"hearth_record\":1,\"outcome\":\"responded\"}\n{\"hearth_record\":2,\"event\":1}\n"
      "{\"hearth_record\":1,\"event\":1} x\n");
  REQUIRE(read.broken.size() == 3);
  CHECK(read.broken[0].message.find("--keep-events") != std::string::npos);
  CHECK(read.broken[1].message.find("version 2") != std::string::npos);
  CHECK(read.broken[2].message.find("not JSON") != std::string::npos);
}

TEST_CASE("a record may hold an event as deep as an event may be", "[harness]") {
  const auto depth = emulator::invoke::kMaxJsonDepth;
  const auto deep = std::string(depth, '[') + std::string(depth, ']');
  CHECK(read_text(record_line({.event = deep, .time = {}, .function = "f", .request_id = "r"}))
            .payloads() == Payloads{deep});
  CHECK(read_text("1\n[" + deep + "]").broken.size() == 1);
}
