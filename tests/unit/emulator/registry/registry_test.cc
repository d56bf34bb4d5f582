#include "emulator/registry/registry.h"

#include "tests/support/remembering_store.h"

#include <catch2/catch_test_macros.hpp>

using namespace emulator::registry;

namespace {

SharedVersion version_of(const std::string& name, const std::string& number = "$LATEST") {
  FunctionVersion version;
  version.function_name = name;
  version.number = number;
  version.configuration = R"({"FunctionName":")" + name + R"("})";
  return std::make_shared<const FunctionVersion>(version);
}

FunctionRecord record_of(const std::string& name) {
  FunctionRecord record;
  record.name = name;
  record.latest = version_of(name);
  return record;
}

std::unique_ptr<Registry> opened(emulator::state::Store& store) {
  auto registry = Registry::open(store);
  REQUIRE(registry);
  return std::move(*registry);
}

std::vector<std::string> names_of(const std::vector<SharedFunction>& functions) {
  std::vector<std::string> names;
  for (const auto& function : functions) names.push_back(function->name);
  return names;
}

}  // namespace

TEST_CASE("a function that was created is found, and by no other name", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  REQUIRE(registry->create(record_of("orders")));
  CHECK(registry->find("orders")->name == "orders");
  CHECK(registry->find("order") == nullptr);
  const auto again = registry->create(record_of("orders"));
  REQUIRE_FALSE(again);
  CHECK(again.error().kind == RegistryError::Kind::exists);
}

TEST_CASE("of two changes to the same function the second is told that it was changed",
          "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  const auto base = registry->create(record_of("f")).value();
  auto first = *base;
  first.reserved_concurrency = 1;
  REQUIRE(registry->replace(base, first));
  auto second = *base;
  second.reserved_concurrency = 2;
  const auto refused = registry->replace(base, second);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == RegistryError::Kind::changed);
  CHECK(registry->find("f")->reserved_concurrency == 1);
  CHECK_FALSE(registry->remove(base));
  CHECK(registry->find("f") != nullptr);
}

TEST_CASE("functions are listed by name, page after page", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  for (const auto* name : {"c", "a", "d", "b"}) REQUIRE(registry->create(record_of(name)));
  CHECK(names_of(registry->list("", 3)) == std::vector<std::string>{"a", "b", "c"});
  CHECK(names_of(registry->list("c", 3)) == std::vector<std::string>{"d"});
  CHECK(registry->list("d", 3).empty());
  CHECK(registry->size() == 4);
}

TEST_CASE("a registry that is opened again holds what was created, changed and removed",
          "[registry]") {
  tests::RememberingStore store;
  {
    const auto registry = opened(store);
    const auto base = registry->create(record_of("kept")).value();
    auto changed = *base;
    changed.published[1] = version_of("kept", "1");
    changed.last_published = 1;
    changed.latest_published = version_of("kept", "$LATEST.PUBLISHED");
    changed.aliases["live"] = {
        .name = "live", .version = "1", .description = "", .weights = {}, .revision_id = "r"};
    changed.event_invoke["$LATEST"].maximum_retry_attempts = 0;
    changed.tags["team"] = "a";
    changed.settings["policy/$LATEST"] = "{}";
    changed.provisioned["live"] = {.requested = 3, .last_modified = {}};
    REQUIRE(registry->replace(base, changed));
    const auto gone = registry->create(record_of("gone")).value();
    REQUIRE(registry->remove(gone));
  }
  const auto registry = opened(store);
  CHECK(registry->find("gone") == nullptr);
  const auto kept = registry->find("kept");
  REQUIRE(kept);
  CHECK(*kept->published.at(1) == *version_of("kept", "1"));
  CHECK(*kept->latest_published == *version_of("kept", "$LATEST.PUBLISHED"));
  CHECK(kept->aliases.at("live").version == "1");
  CHECK(kept->event_invoke.at("$LATEST").maximum_retry_attempts == 0);
  CHECK(kept->tags.at("team") == "a");
  CHECK(kept->settings.at("policy/$LATEST") == "{}");
  CHECK(kept->provisioned.at("live").requested == 3);
  CHECK(kept->last_published == 1);
}

TEST_CASE("removing a function leaves none of its documents in the store", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  auto record = record_of("f");
  record.published[1] = version_of("f", "1");
  const auto base = registry->create(record).value();
  REQUIRE(registry->remove(base));
  for (const auto& [table, documents] : store.documents) {
    INFO(table);
    CHECK(documents.empty());
  }
}

TEST_CASE("a change that cannot be kept has not happened", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  const auto base = registry->create(record_of("f")).value();
  store.failing = true;
  auto changed = *base;
  changed.reserved_concurrency = 5;
  const auto refused = registry->replace(base, changed);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().kind == RegistryError::Kind::store);
  CHECK(registry->find("f") == base);
  CHECK_FALSE(registry->create(record_of("g")));
  CHECK(registry->find("g") == nullptr);
}

TEST_CASE("a change is told after it can be seen, with what was and what is", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  std::vector<std::pair<SharedFunction, SharedFunction>> told;
  registry->on_change([&](const SharedFunction& before, const SharedFunction& after) {
    CHECK(registry->find("f") == after);
    told.emplace_back(before, after);
  });
  const auto base = registry->create(record_of("f")).value();
  const auto next = registry->replace(base, *base).value();
  REQUIRE(registry->remove(next));
  const std::vector<std::pair<SharedFunction, SharedFunction>> expected = {
      {nullptr, base}, {base, next}, {next, nullptr}};
  CHECK(told == expected);
}

TEST_CASE("a document that cannot be read is told by name", "[registry]") {
  tests::RememberingStore store;
  store.documents["functions"]["f"] = "{";
  const auto refused = Registry::open(store);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("f cannot be read") != std::string::npos);
  store.documents["functions"]["f"] = R"({"last_published":0})";
  CHECK_FALSE(Registry::open(store));  // its $LATEST is missing
}

TEST_CASE("a resource is put where nothing or the expected text is", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  const auto kind = ResourceKind::event_source_mapping;
  REQUIRE(registry->put_resource(kind, "b", std::nullopt, "1"));
  REQUIRE(registry->put_resource(kind, "a", std::nullopt, "1"));
  CHECK_FALSE(registry->put_resource(kind, "b", std::nullopt, "2"));
  CHECK_FALSE(registry->put_resource(kind, "b", "0", "2"));
  REQUIRE(registry->put_resource(kind, "b", "1", "2"));
  CHECK(registry->resource(kind, "b") == "2");
  CHECK(registry->resources(kind).front().first == "a");
  CHECK(registry->resources(kind, "a").front().second == "2");
  REQUIRE(registry->remove_resource(kind, "b"));
  CHECK_FALSE(registry->resource(kind, "b"));
  CHECK(opened(store)->resources(kind).size() == 1);
}

TEST_CASE("the packages that functions and layers name are known", "[registry]") {
  tests::RememberingStore store;
  const auto registry = opened(store);
  FunctionVersion version = *version_of("f");
  version.code.sha256_hex = "aa";
  auto record = record_of("f");
  record.latest = std::make_shared<const FunctionVersion>(version);
  REQUIRE(registry->create(record));
  REQUIRE(registry->put_resource(
      ResourceKind::layer_version, "l:1", std::nullopt, R"({"package":"bb"})"));
  CHECK(registry->named_packages() == std::set<std::string>{"aa", "bb"});
}
