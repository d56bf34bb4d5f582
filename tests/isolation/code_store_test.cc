// Code that is being stored when its process is killed.
#include "emulator/functions/code_store.h"

#include "tests/support/forked_child.h"
#include "tests/support/scratch_folder.h"
#include "tests/support/zip_bytes.h"

#include <catch2/catch_test_macros.hpp>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

using namespace emulator::functions;
using tests::ForkedChild;
namespace fs = std::filesystem;

namespace {

constexpr int kFiles = 20;

std::string content_of(std::int64_t number) {
  return std::to_string(number) + std::string(5'000, 'x');
}

std::string package(std::int64_t number) {
  std::map<std::string, std::string> files;
  for (int i = 0; i < kFiles; ++i) files["folder/" + std::to_string(i)] = content_of(number);
  return tests::zip_bytes(files);
}

std::string read(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

void check_complete(const CodeStore& store, const std::string& hash) {
  const auto folder = store.folder_of(hash);
  REQUIRE(folder);
  const auto first = read(*folder / "folder/0");
  const auto number = std::stoll(first);
  CHECK(read(*store.zip_of(hash)) == package(number));
  for (int i = 0; i < kFiles; ++i) {
    CHECK(read(*folder / "folder" / std::to_string(i)) == content_of(number));
  }
}

}  // namespace

TEST_CASE("a kill at any instant leaves stored code complete or not at all", "[code_store]") {
  const tests::ScratchFolder scratch;
  std::int64_t next_number = 0;
  for (int round = 0; round < 12; ++round) {
    ForkedChild child([&](const ForkedChild::Tell& tell) {
      const auto store = CodeStore::open(scratch.path());
      if (!store) return;
      std::string before;
      for (auto number = next_number;; ++number) {
        const auto code = (*store)->add(package(number), kMaxUnzippedBytes);
        if (!code) return;
        // One in two is removed again, so that kills meet that too.
        if (number % 2 == 1) (*store)->discard(before);
        before = code->sha256_hex;
        tell(number);
      }
    });
    for (int heard = 0; heard < 3 * round; ++heard) {
      const auto number = child.next();
      REQUIRE(number.has_value());
      next_number = *number + 1;
    }
    child.kill_and_wait();

    const auto store = CodeStore::open(scratch.path());
    REQUIRE(store.has_value());
    const auto left = scratch.entries();
    for (const auto& hash : left) check_complete(**store, hash);
    CHECK(left.size() >= static_cast<std::size_t>(next_number / 2));
  }
}
