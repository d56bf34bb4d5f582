#include "emulator/functions/code_store.h"

#include "tests/support/scratch_folder.h"
#include "tests/support/zip_bytes.h"

#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <thread>
#include <vector>

using namespace emulator::functions;
using Kind = CodePackageError::Kind;
namespace fs = std::filesystem;

namespace {

std::unique_ptr<CodeStore> opened(const fs::path& folder) {
  auto store = CodeStore::open(folder);
  INFO((store ? std::string() : store.error().message));
  REQUIRE(store.has_value());
  return std::move(*store);
}

StoredCode added(CodeStore& store, const std::string& zip) {
  const auto code = store.add(zip, kMaxUnzippedBytes);
  INFO((code ? std::string() : code.error().message));
  REQUIRE(code.has_value());
  return *code;
}

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::string bytes_of(const std::string& hex) {
  std::string bytes;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    bytes += static_cast<char>(std::stoi(hex.substr(at, 2), nullptr, 16));
  }
  return bytes;
}

unsigned mode_of(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return status.st_mode & 0777U;
}

}  // namespace

TEST_CASE("stored code is named by the SHA-256 digest of its package", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  // One stored file, "a", of one byte.
  const std::string hex =
      "504b03041400000000000000210043beb7e80100000001000000010000006161504b010214001400"
      "000000000000210043beb7e801000000010000000100000000000000000000000000000000006150"
      "4b050600000000010001002f000000200000000000";
  const auto code = added(*store, bytes_of(hex));
  CHECK(code.sha256_hex == "8fa392f2f271690c44cf6bc45b67a11c32e00c678272780caee8cdb6b583b8a0");
  CHECK(code.sha256_base64 == "j6OS8vJxaQxEz2vEW2ehHDLgDGeCcngMrujNtrWDuKA=");
  CHECK(code.zip_bytes == 101);
  CHECK(code.unzipped_bytes == 1);
}

TEST_CASE("stored code can be had as it came and unpacked, also by a later process",
          "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto folder = scratch.path() / "a" / "code" / "";
  const auto zip = tests::zip_bytes({{"app.py", "print(1)"}, {"lib/x.py", "x"}});
  const auto code = added(*opened(folder), zip);
  CHECK(code.unzipped_bytes == 9);

  const auto store = opened(folder);
  REQUIRE(store->zip_of(code.sha256_hex));
  CHECK(content(*store->zip_of(code.sha256_hex)) == zip);
  const auto unzipped = store->folder_of(code.sha256_hex);
  REQUIRE(unzipped);
  CHECK(content(*unzipped / "app.py") == "print(1)");
  CHECK(content(*unzipped / "lib/x.py") == "x");
  CHECK(mode_of(*unzipped) == 0755);
  CHECK(mode_of(folder) == 0700);
  CHECK(added(*store, zip).unzipped_bytes == 9);
}

TEST_CASE("the same content is stored once", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto zip = tests::zip_bytes({{"app.py", "same"}});
  const auto first = added(*store, zip);
  const auto marker = *store->folder_of(first.sha256_hex) / "marker";
  std::ofstream(marker) << "still the first one";
  CHECK(added(*store, zip).sha256_hex == first.sha256_hex);
  CHECK(fs::exists(marker));
  CHECK(scratch.entries() == std::vector{first.sha256_hex});
}

TEST_CASE("a package that cannot be unpacked is refused and leaves nothing", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto refusal = [&](const std::string& bytes, std::int64_t limit = kMaxUnzippedBytes) {
    const auto code = store->add(bytes, limit);
    REQUIRE_FALSE(code.has_value());
    // Nobody but the store knows where it tried.
    CHECK(code.error().message.find(scratch.path().string()) == std::string::npos);
    return code.error().kind;
  };
  CHECK(refusal("") == Kind::malformed);
  CHECK(refusal("PK\x05\x06" + std::string(18, '\0')) == Kind::malformed);  // with no entry
  CHECK(refusal("no package") == Kind::malformed);
  const auto whole = tests::zip_bytes({{"app.py", std::string(1000, 'x')}});
  CHECK(refusal(whole.substr(0, whole.size() / 2)) == Kind::malformed);
  CHECK(refusal(whole, 999) == Kind::too_large);
  CHECK(refusal(tests::zip_bytes({{"../app.py", "x"}})) == Kind::unsafe);
  CHECK(refusal(tests::zip_bytes({{"bomb", std::string(20'000'000, '\0')}}), 10'000'000) ==
        Kind::too_large);
  CHECK(scratch.entries().empty());
}

TEST_CASE("stored code is refused like new code where less is allowed", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto zip = tests::zip_bytes({{"app.py", "12345"}});
  added(*store, zip);
  const auto refused = store->add(zip, 4);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().kind == Kind::too_large);
  CHECK(store->add(zip, 5).has_value());
}

TEST_CASE("stored code that a power cut damaged is stored again", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto zip = tests::zip_bytes({{"app.py", "12345"}});
  const auto hash = added(*store, zip).sha256_hex;
  SECTION("its package is cut off") { fs::resize_file(*store->zip_of(hash), 10); }
  SECTION("its count is empty") { fs::resize_file(scratch.path() / hash / "unzipped_bytes", 0); }
  fs::resize_file(*store->folder_of(hash) / "app.py", 0);
  CHECK(added(*store, zip).unzipped_bytes == 5);
  CHECK(content(*store->folder_of(hash) / "app.py") == "12345");
  CHECK(content(*store->zip_of(hash)) == zip);
}

TEST_CASE("code that nothing names any more is removed, and only that", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto a = added(*store, tests::zip_bytes({{"a", "a"}})).sha256_hex;
  const auto b = added(*store, tests::zip_bytes({{"b", "b"}})).sha256_hex;
  const auto c = added(*store, tests::zip_bytes({{"c", "c"}})).sha256_hex;
  scratch.write("notes.txt", "the user's own");
  store->keep_only({a, b});
  CHECK_FALSE(store->folder_of(c));
  CHECK_FALSE(store->zip_of(c));
  store->discard(b);
  store->discard(b);
  auto left = std::vector{a, std::string("notes.txt")};
  CHECK(scratch.entries() == left);
}

TEST_CASE("stored code goes when nobody names and nobody holds it any more", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  std::set<std::string> named;
  store->ask_before_removing([&](const std::string& hash) { return named.contains(hash); });
  const auto zip = tests::zip_bytes({{"a", "a"}});
  std::string hash;
  {
    const auto added_one = added(*store, zip);
    hash = added_one.sha256_hex;
    CHECK(store->folder_of(hash));
  }
  CHECK_FALSE(store->folder_of(hash));  // it was never named

  {
    const auto added_one = added(*store, zip);
    named.insert(hash);
  }
  REQUIRE(store->folder_of(hash));
  auto hold = store->hold(hash);
  store->discard(hash);
  CHECK(store->folder_of(hash));  // named still
  named.clear();
  store->discard(hash);
  CHECK(store->folder_of(hash));  // and held
  auto second = hold;
  hold = nullptr;
  CHECK(store->folder_of(hash));
  second = nullptr;
  CHECK_FALSE(store->folder_of(hash));
}

TEST_CASE("a hold may outlive its store and then does nothing", "[code_store]") {
  const tests::ScratchFolder scratch;
  auto store = opened(scratch.path());
  store->ask_before_removing([](const std::string&) { return false; });
  auto code = added(*store, tests::zip_bytes({{"a", "a"}}));
  store = nullptr;
  code.hold = nullptr;
  CHECK(scratch.entries() == std::vector{code.sha256_hex});
}

TEST_CASE("a name that is no digest leads nowhere", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path() / "code");
  scratch.write("other/file", "x");
  for (const std::string name : {"", ".", "..", "../other", "other"}) {
    CHECK_FALSE(store->folder_of(name));
    CHECK_FALSE(store->zip_of(name));
    store->discard(name);
  }
  CHECK(scratch.read("other/file") == "x");
}

TEST_CASE("what was half made is removed when the store is opened, and nothing else",
          "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto code = added(*opened(scratch.path()), tests::zip_bytes({{"a", "a"}}));
  scratch.write(".hearth-abc123/package.zip", "half");
  scratch.write("mine/file", "x");
  opened(scratch.path());
  CHECK(scratch.entries() == std::vector{code.sha256_hex, std::string("mine")});
}

TEST_CASE("a folder that cannot be made is an error of the host", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = CodeStore::open(scratch.write("file", "x") + "/code");
  REQUIRE_FALSE(store.has_value());
  CHECK(store.error().kind == Kind::host);
}

TEST_CASE("many threads store the same and different code at once", "[code_store]") {
  const tests::ScratchFolder scratch;
  const auto store = opened(scratch.path());
  const auto shared = tests::zip_bytes({{"shared", "content"}});
  // The first use of the C library's time zone, which the thread sanitizer takes for unlocked.
  store->discard(added(*store, tests::zip_bytes({{"first", ""}})).sha256_hex);
  std::atomic<int> wrong = 0;
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 10; ++i) {
          const auto own = tests::zip_bytes({{"own", std::to_string(thread * 100 + i)}});
          const auto one = store->add(shared, kMaxUnzippedBytes);
          const auto two = store->add(own, kMaxUnzippedBytes);
          if (!one || !two || content(*store->zip_of(two->sha256_hex)) != own) ++wrong;
          if (i % 2 == 0 && two) store->discard(two->sha256_hex);
        }
      });
    }
  }
  CHECK(wrong == 0);
  CHECK(scratch.entries().size() == 1 + 8 * 5);
}
