// What the operations of the Lambda API act on, for tests: a registry on a store in memory, a code
// store in a folder of the test's own, a clock that stands still, and ids that count up.
#pragma once

#include "emulator/control_plane/operation.h"
#include "emulator/functions/base64.h"
#include "tests/support/manual_clock.h"
#include "tests/support/remembering_store.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/zip_bytes.h"

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include <atomic>
#include <map>
#include <memory>
#include <string>

namespace tests {

inline std::string zip_base64(const std::map<std::string, std::string>& files) {
  return emulator::functions::base64_encoded(zip_bytes(files));
}

// One thread.
class ServiceParts {
 public:
  using Document = emulator::control_plane::Document;

  ServiceParts()
      : code_(emulator::functions::CodeStore::open(folder.path() / "code").value()),
        registry_(emulator::registry::Registry::open(store).value()),
        world{.registry = *registry_,
              .code = *code_,
              .clock = clock,
              .new_uuid = [this] { return next_id(); },
              .hot_folders = {"/"},
              .endpoint = "http://127.0.0.1:4566"} {
    code_->ask_before_removing(
        [this](const std::string& hash) { return registry_->names_package(hash); });
  }

  // What the operation of that name answers.
  emulator::control_plane::Answer run(std::span<const emulator::control_plane::Operation> all,
                                      std::string_view name,
                                      const Document& input) {
    for (const auto& operation : all) {
      if (operation.name == name) return operation.run(input, world);
    }
    FAIL("there is no operation " << name);
    return Document();
  }

  // CreateFunction with a package of one file; returns its answer.
  Document create(const std::string& name, Document more = Document::object()) {
    Document input = {{"FunctionName", name},
                      {"Runtime", "provided.al2023"},
                      {"Handler", "bootstrap"},
                      {"Role", "arn:aws:iam::123456789012:role/any"},
                      {"Code", {{"ZipFile", zip_base64({{"bootstrap", name}})}}}};
    input.update(more);
    const auto created =
        run(emulator::control_plane::function_operations(), "CreateFunction", input);
    REQUIRE(created);
    return *created;
  }

  ScratchFolder folder;
  RememberingStore store;
  ManualClock clock;

 private:
  std::string next_id() {
    auto number = std::to_string(++ids_);
    return "00000000-0000-0000-0000-" + std::string(12 - number.size(), '0') + number;
  }

  std::atomic<int> ids_ = 0;
  std::unique_ptr<emulator::functions::CodeStore> code_;
  std::unique_ptr<emulator::registry::Registry> registry_;

 public:
  emulator::control_plane::ServiceWorld world;
};

}  // namespace tests
