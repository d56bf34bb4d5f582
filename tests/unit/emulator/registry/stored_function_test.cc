#include "emulator/registry/stored_function.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::registry;

TEST_CASE("a version is read back as it was stored, its configuration untouched",
          "[stored function]") {
  FunctionVersion version;
  version.function_name = "f";
  version.number = "7";
  version.configuration = "{\"odd\" :\t[1.50, \"\\u00e9\"]}";
  version.code.sha256_hex = "ab";
  version.code.folder = "/somewhere/with \"quotes\"\nand lines";
  version.code.command = {"./run", "now"};
  version.code.layers = {"/a", "/b"};
  version.code.layer_packages = {"cd"};
  const auto read = read_version(stored_version(version));
  REQUIRE(read);
  CHECK(*read == version);
}

TEST_CASE("a record is read back with everything but its versions", "[stored function]") {
  FunctionRecord record;
  record.name = "f";
  record.last_published = 9;
  record.reserved_concurrency = 0;
  record.aliases["a"] = {.name = "a",
                         .version = "9",
                         .description = "d",
                         .weights = {{"8", 0.25}},
                         .revision_id = "r"};
  record.event_invoke["a"] = {.maximum_retry_attempts = 1,
                              .maximum_event_age_seconds = 60,
                              .on_success = "arn:s",
                              .on_failure = "arn:f",
                              .last_modified = WallTime(std::chrono::milliseconds(1'500))};
  record.provisioned["a"] = {.requested = 2,
                             .last_modified = WallTime(std::chrono::milliseconds(2'500))};
  record.scaling["$LATEST.PUBLISHED"] = {.least = 1, .most = 2};
  record.tags = {{"k", "v"}};
  record.settings = {{"recursion", "{}"}};
  const auto read = read_record("f", stored_record(record));
  REQUIRE(read);
  CHECK(read->last_published == 9);
  CHECK(read->reserved_concurrency == 0);
  CHECK(read->aliases == record.aliases);
  CHECK(read->event_invoke == record.event_invoke);
  CHECK(read->provisioned == record.provisioned);
  CHECK(read->scaling == record.scaling);
  CHECK(read->tags == record.tags);
  CHECK(read->settings == record.settings);
}

TEST_CASE("documents that are none are refused with a reason", "[stored function]") {
  for (const auto* text : {"", "{", "[]", "null", R"({"last_published":"x"})", "\xff"}) {
    INFO(text);
    CHECK_FALSE(read_record("f", text));
    CHECK_FALSE(read_version(text));
  }
}

TEST_CASE("a version whose number is none is refused", "[stored function]") {
  for (const auto* number : {"x", "0", "-1", "", "1x", "99999999999999999999"}) {
    FunctionVersion version;
    version.function_name = "f";
    version.number = number;
    INFO(number);
    CHECK_FALSE(read_version(stored_version(version)));
  }
}
