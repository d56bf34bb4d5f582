#include "emulator/registry/resolution.h"

#include <catch2/catch_test_macros.hpp>

#include <cmath>
#include <random>

using namespace emulator::registry;

namespace {

SharedVersion version_of(const std::string& number) {
  FunctionVersion version;
  version.function_name = "f";
  version.number = number;
  return std::make_shared<const FunctionVersion>(version);
}

FunctionRecord function() {
  FunctionRecord record;
  record.name = "f";
  record.latest = version_of("$LATEST");
  record.published = {{1, version_of("1")}, {2, version_of("2")}};
  record.aliases["live"].name = "live";
  record.aliases["live"].version = "1";
  return record;
}

double never() {
  FAIL("nothing is to be drawn");
  return 0;
}

}  // namespace

TEST_CASE("a qualifier means $LATEST, a version or an alias's version", "[resolution]") {
  const auto record = function();
  CHECK(resolve(record, std::nullopt, never)->version->number == "$LATEST");
  CHECK(resolve(record, "$LATEST", never)->qualifier == "$LATEST");
  CHECK(resolve(record, "2", never)->version->number == "2");
  CHECK(resolve(record, "2", never)->alias == nullptr);
  CHECK(resolve(record, "live", never)->version->number == "1");
  CHECK(resolve(record, "live", never)->alias->name == "live");
}

TEST_CASE("without a qualifier $LATEST.PUBLISHED is meant, where there is one", "[resolution]") {
  auto record = function();
  CHECK_FALSE(resolve(record, "$LATEST.PUBLISHED", never));
  record.latest_published = version_of("$LATEST.PUBLISHED");
  CHECK(resolve(record, std::nullopt, never)->version == record.latest_published);
  CHECK(resolve(record, "$LATEST.PUBLISHED", never)->version == record.latest_published);
  CHECK(resolve(record, "$LATEST", never)->version == record.latest);
}

TEST_CASE("what is neither a version nor an alias is not there", "[resolution]") {
  const auto record = function();
  for (const auto* qualifier : {"3", "0", "01", "-1", "1x", "", "dead", "99999999999999999999"}) {
    INFO(qualifier);
    CHECK_FALSE(resolve(record, qualifier, never));
  }
}

TEST_CASE("an alias gives a further version its weight and the rest to its own", "[resolution]") {
  auto record = function();
  record.aliases["live"].weights["2"] = 0.25;
  CHECK(resolve(record, "live", [] { return 0.0; })->version->number == "2");
  CHECK(resolve(record, "live", [] { return 0.2499; })->version->number == "2");
  CHECK(resolve(record, "live", [] { return 0.25; })->version->number == "1");
  CHECK(resolve(record, "live", [] { return 0.999; })->version->number == "1");
}

TEST_CASE("over many draws each version has its part, within four standard deviations",
          "[resolution]") {
  auto record = function();
  for (const double weight : {0.0, 0.05, 0.5, 1.0}) {
    record.aliases["live"].weights["2"] = weight;
    std::mt19937_64 draws(20'261'125);
    std::uniform_real_distribution<double> even(0, 1);
    constexpr int kDraws = 100'000;
    int second = 0;
    for (int i = 0; i < kDraws; ++i) {
      const auto chosen = resolve(record, "live", [&] { return even(draws); });
      second += chosen->version->number == "2" ? 1 : 0;
    }
    const double deviation = std::sqrt(kDraws * weight * (1 - weight));
    INFO(weight);
    CHECK(std::abs(second - kDraws * weight) <= 4 * deviation);
  }
}
