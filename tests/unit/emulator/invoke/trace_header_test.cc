#include "emulator/invoke/trace_header.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::invoke;

namespace {

const std::string kRoot = "1-5f84c7a1-0123456789abcdef01234567";
const std::string kParent = "0123456789abcdef";

}  // namespace

TEST_CASE("a trace header reads and writes as the same text", "[trace]") {
  for (const auto& text : {"Root=" + kRoot,
                           "Root=" + kRoot + ";Parent=" + kParent,
                           "Root=" + kRoot + ";Sampled=0",
                           "Root=" + kRoot + ";Parent=" + kParent + ";Sampled=1",
                           "Root=" + kRoot + ";Parent=" + kParent +
                               ";Sampled=1;Lineage=a87bd80c:1|68fd508a:5|c512fbe3:2"}) {
    const auto header = parse_trace_header(text);
    REQUIRE(header);
    CHECK(text_of(*header) == text);
  }
}

TEST_CASE("fields stand in any order, with blanks, in any case", "[trace]") {
  const auto header = parse_trace_header("sampled=1; parent=0123456789ABCDEF ;root=" + kRoot);
  REQUIRE(header);
  CHECK(*header == TraceHeader{.root = kRoot, .parent = kParent, .sampled = true});
}

TEST_CASE("what is broken in a trace header is left out", "[trace]") {
  const auto header =
      parse_trace_header("Root=" + kRoot + ";Parent=xyz;Sampled=?;Self=1;;=;Lineage=a b\"c");
  REQUIRE(header);
  CHECK(*header == TraceHeader{.root = kRoot, .parent = {}});
}

TEST_CASE("without a usable Root there is no trace header", "[trace]") {
  const std::vector<std::string> broken = {
      "",
      "Root=",
      "Root=1-2",
      "Root=2" + kRoot.substr(1),
      "Root=" + kRoot + "0",
      "Root=1-5f84c7a1-0123456789abcdef0123456g",
      "Parent=" + kParent + ";Sampled=1",
      "Root=" + kRoot + ";Lineage=" + std::string(kMaxTraceHeaderBytes, 'a')};
  for (const auto& text : broken) {
    CHECK_FALSE(parse_trace_header(text));
  }
}

TEST_CASE("a lineage that is too long is left out", "[trace]") {
  const auto header =
      parse_trace_header("Root=" + kRoot + ";Lineage=" + std::string(kMaxLineageBytes + 1, 'a'));
  REQUIRE(header);
  CHECK(header->lineage.empty());
}
