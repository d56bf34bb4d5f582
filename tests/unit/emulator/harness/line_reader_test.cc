#include "emulator/harness/line_reader.h"

#include "tests/unit/emulator/harness/text_source.h"

#include <catch2/catch_test_macros.hpp>

#include <string>
#include <vector>

using namespace emulator::harness;
using tests::text_source;

namespace {

std::vector<std::string> lines_of(LineReader& reader) {
  std::vector<std::string> lines;
  while (true) {
    const auto line = reader.next();
    REQUIRE(line);
    if (!*line) return lines;
    lines.push_back((*line)->too_long ? "<too long>" : std::string((*line)->text));
  }
}

}  // namespace

TEST_CASE("lines come out whatever pieces the stream arrives in", "[harness]") {
  const std::string text =
      "\xEF\xBB\xBF"
      "one\r\n\ntwo\n\r\nth\rree";
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    INFO(piece);
    LineReader reader(text_source(text, piece), 10);
    CHECK(lines_of(reader) == std::vector<std::string>{"one", "", "two", "", "th\rree"});
  }
}

TEST_CASE("a line longer than allowed is skipped without being held", "[harness]") {
  for (const std::size_t piece : {std::size_t{1000}, std::size_t{1} << 20}) {
    LineReader reader(text_source("a\n" + std::string(3'000'000, 'x') + "\nb\n", piece), 100);
    CHECK(lines_of(reader) == std::vector<std::string>{"a", "<too long>", "b"});
  }
  LineReader reader(text_source(std::string(101, 'x') + "\n" + std::string(100, 'y') + "\r\n" +
                                std::string(102, 'z')),
                    100);
  const auto lines = lines_of(reader);
  CHECK(lines.at(0) == "<too long>");
  CHECK(lines.at(1) == std::string(100, 'y'));
  CHECK(lines.at(2) == "<too long>");
}

TEST_CASE("a line tells its number, whether it was ended and where", "[harness]") {
  LineReader reader(text_source("\xEF\xBB\xBF"
                                "ab\ncd"),
                    10);
  const auto first = *reader.next().value();
  CHECK(first.number == 1);
  CHECK(first.ended);
  CHECK(first.end_offset == 6);
  const auto second = *reader.next().value();
  CHECK(second.number == 2);
  CHECK_FALSE(second.ended);
  CHECK(second.end_offset == 8);
}

TEST_CASE("a line can be given back and the rest be looked at without being taken", "[harness]") {
  LineReader reader(text_source("one\ntwo\nthree", 2), 10);
  CHECK(reader.next().value()->text == "one");
  reader.back();
  CHECK_FALSE(reader.rest(12).value());
  CHECK(reader.rest(13).value() == "one\ntwo\nthree");
  CHECK(reader.next().value()->number == 1);
  CHECK(lines_of(reader) == std::vector<std::string>{"two", "three"});
}

TEST_CASE("a stream that fails says why", "[harness]") {
  LineReader reader(
      [](char*, std::size_t) -> tl::expected<std::size_t, HarnessError> {
        return tl::unexpected(HarnessError{"the disk is gone"});
      },
      10);
  CHECK(reader.next().error().message == "the disk is gone");
}
