#include "emulator/functions/code_package.h"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch_test_macros.hpp>

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

using namespace emulator::functions;
namespace fs = std::filesystem;

namespace {

struct Entry {
  std::string name;
  std::string content = {};
  std::optional<mode_t> mode = 0644;  // nullopt: the entry says nothing of modes
  unsigned type = AE_IFREG;
  std::int64_t repeat = 1;  // how often the content is written
  std::string passphrase = {};
};

// A folder for one test, with everything that the package may leave behind inside.
class Workplace {
 public:
  Workplace() : folder_(std::move(*TemporaryFolder::create(fs::temp_directory_path()))) {
    fs::create_directory(out());
  }

  fs::path path(const std::string& name) const { return folder_->path() / name; }
  fs::path out() const { return path("out"); }

  fs::path zip(const std::string& name, const std::vector<Entry>& entries) const {
    auto* writer = ::archive_write_new();
    ::archive_write_set_format_zip(writer);
    for (const auto& entry : entries) {
      if (entry.passphrase.empty()) continue;
      REQUIRE(::archive_write_set_options(writer, "zip:encryption=zipcrypt") == ARCHIVE_OK);
      REQUIRE(::archive_write_set_passphrase(writer, entry.passphrase.c_str()) == ARCHIVE_OK);
    }
    REQUIRE(::archive_write_open_filename(writer, path(name).c_str()) == ARCHIVE_OK);
    for (const auto& entry : entries) add(writer, entry);
    REQUIRE(::archive_write_close(writer) == ARCHIVE_OK);
    ::archive_write_free(writer);
    return path(name);
  }

  fs::path file(const std::string& name, const std::string& content) const {
    fs::create_directories(path(name).parent_path());
    std::ofstream(path(name), std::ios::binary) << content;
    return path(name);
  }

  bool out_is_empty() const { return fs::is_empty(out()); }

 private:
  static void add(archive* writer, const Entry& entry) {
    auto* header = ::archive_entry_new();
    ::archive_entry_set_pathname(header, entry.name.c_str());
    ::archive_entry_set_filetype(header, entry.type);
    ::archive_entry_set_perm(header, entry.mode.value_or(0));
    if (entry.type == AE_IFLNK) {
      ::archive_entry_set_symlink(header, entry.content.c_str());
      ::archive_entry_set_size(header, 0);
    } else {
      ::archive_entry_set_size(header,
                               static_cast<std::int64_t>(entry.content.size()) * entry.repeat);
    }
    REQUIRE(::archive_write_header(writer, header) == ARCHIVE_OK);
    if (entry.type == AE_IFREG) {
      for (std::int64_t i = 0; i < entry.repeat; ++i) {
        ::archive_write_data(writer, entry.content.data(), entry.content.size());
      }
    }
    ::archive_entry_free(header);
  }

  std::unique_ptr<TemporaryFolder> folder_;
};

std::string content(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

mode_t mode_of(const fs::path& path) {
  struct stat status = {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777U;
}

void replace_bytes(const fs::path& path, const std::string& from, const std::string& to) {
  auto bytes = content(path);
  for (auto at = bytes.find(from); at != std::string::npos; at = bytes.find(from, at + to.size())) {
    bytes.replace(at, from.size(), to);
  }
  std::ofstream(path, std::ios::binary) << bytes;
}

// Rewrites the mode of a .zip file's first entry: the upper half of the external attributes in the
// central directory.
void set_mode(const fs::path& zip, unsigned mode) {
  auto bytes = content(zip);
  const auto central = bytes.find("PK\x01\x02");
  REQUIRE(central != std::string::npos);
  bytes[central + 40] = static_cast<char>(mode & 0xFFU);
  bytes[central + 41] = static_cast<char>(mode >> 8U);
  std::ofstream(zip, std::ios::binary) << bytes;
}

FunctionConfiguration configuration(fs::path code, std::vector<fs::path> layers = {}) {
  FunctionConfiguration result;
  result.name = "f";
  result.code = std::move(code);
  result.layers = std::move(layers);
  return result;
}

}  // namespace

TEST_CASE("a folder with code is used in place", "[code_package]") {
  const Workplace place;
  place.file("code/app.py", "x");
  const auto package = open_code_package(configuration(place.path("code")), place.out());
  REQUIRE(package);
  CHECK(package->task == place.path("code"));
  CHECK(package->layers.empty());
  CHECK(package->unpacked.empty());
  CHECK(package->unzipped_bytes == 1);
  CHECK(place.out_is_empty());
}

TEST_CASE("a zip is unpacked into a private folder that goes with its package", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("code.zip",
                             {{.name = "bootstrap", .content = "run", .mode = 0755},
                              {.name = "lib/data.txt", .content = "data"}});
  fs::path task;
  {
    const auto package = open_code_package(configuration(zip), place.out());
    REQUIRE(package);
    task = package->task;
    CHECK(mode_of(task) == 0700);
    CHECK(content(task / "bootstrap") == "run");
    CHECK(mode_of(task / "bootstrap") == 0755);
    CHECK(mode_of(task / "lib/data.txt") == 0644);
    CHECK(package->unzipped_bytes == 7);
  }
  CHECK_FALSE(fs::exists(task));
  CHECK(place.out_is_empty());
}

TEST_CASE("set-user-id bits are dropped and execute bits are kept", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip", {{.name = "tool", .content = "x", .mode = 06755}});
  REQUIRE(unpack_zip(zip, place.out()));
  CHECK(mode_of(place.out() / "tool") == 0755);
}

TEST_CASE("a zip without Unix modes gives readable files and folders", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip",
                             {{.name = "dir/", .mode = {}, .type = AE_IFDIR},
                              {.name = "dir/file", .content = "x", .mode = {}}});
  // "Version made by" is MS-DOS in the central directory, as Windows writes it.
  auto bytes = content(zip);
  for (auto at = bytes.find("PK\x01\x02"); at != std::string::npos;
       at = bytes.find("PK\x01\x02", at + 1)) {
    bytes[at + 5] = 0;
    for (std::size_t i = 38; i < 42; ++i) bytes[at + i] = 0;
  }
  std::ofstream(zip, std::ios::binary) << bytes;
  REQUIRE(unpack_zip(zip, place.out()));
  CHECK((mode_of(place.out() / "dir/file") & 0444U) == 0444);
  CHECK((mode_of(place.out() / "dir") & 0555U) == 0555);
}

TEST_CASE("names beyond ASCII are kept byte for byte", "[code_package]") {
  const Workplace place;
  // The writer stores what the program's locale cannot say under its raw bytes.
  const auto zip = place.zip("a.zip", {{.name = "xx-xx.txt", .content = "x"}});
  replace_bytes(zip, "xx-xx", "\xC3\xBC-\xC3\xA9");
  REQUIRE(unpack_zip(zip, place.out()));
  CHECK(fs::exists(place.out() / "\xC3\xBC-\xC3\xA9.txt"));
}

TEST_CASE("an entry that would leave the folder is refused and nothing is left", "[code_package]") {
  for (const std::string name : {"../evil", "a/../../evil", "/tmp/hearth-evil", "a/..", ".."}) {
    INFO(name);
    const Workplace place;
    const auto zip =
        place.zip("a.zip", {{.name = "first", .content = "x"}, {.name = name, .content = "evil"}});
    const auto unpacked = unpack_zip(zip, place.out());
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().kind == CodePackageError::Kind::unsafe);
    CHECK(place.out_is_empty());
    CHECK_FALSE(fs::exists(place.path("evil")));
    CHECK_FALSE(fs::exists("/tmp/hearth-evil"));
  }
}

TEST_CASE("a link inside the folder is kept", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip",
                             {{.name = "lib/real.so.1", .content = "x"},
                              {.name = "lib/real.so", .content = "real.so.1", .type = AE_IFLNK},
                              {.name = "lib/up", .content = "../lib/real.so", .type = AE_IFLNK},
                              {.name = "dangling", .content = "nowhere", .type = AE_IFLNK}});
  REQUIRE(unpack_zip(zip, place.out()));
  CHECK(content(place.out() / "lib/up") == "x");
  CHECK(fs::is_symlink(place.out() / "dangling"));
}

TEST_CASE("a link that leads out of the folder is refused", "[code_package]") {
  const std::vector<std::vector<Entry>> hostile = {
      {{.name = "l", .content = "/etc/passwd", .type = AE_IFLNK}},
      {{.name = "l", .content = "../outside", .type = AE_IFLNK}},
      {{.name = "a/l", .content = "../../outside", .type = AE_IFLNK}},
      // Each link is inside when it is read as text; together they are not.
      {{.name = "x/y/up", .content = "../..", .type = AE_IFLNK},
       {.name = "out", .content = "x/y/up/..", .type = AE_IFLNK}},
      {{.name = "l", .content = "l", .type = AE_IFLNK}},
  };
  for (const auto& entries : hostile) {
    INFO(entries.back().name << " -> " << entries.back().content);
    const Workplace place;
    const auto unpacked = unpack_zip(place.zip("a.zip", entries), place.out());
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().kind == CodePackageError::Kind::unsafe);
    CHECK(place.out_is_empty());
  }
}

TEST_CASE("no file is written through a link that was unpacked before it", "[code_package]") {
  const Workplace place;
  fs::create_directory(place.path("outside"));
  const auto zip = place.zip("a.zip",
                             {{.name = "l", .content = "../outside", .type = AE_IFLNK},
                              {.name = "l/evil", .content = "evil"}});
  const auto unpacked = unpack_zip(zip, place.out());
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().kind == CodePackageError::Kind::unsafe);
  CHECK(fs::is_empty(place.path("outside")));
  CHECK(place.out_is_empty());
}

TEST_CASE("a file that replaces a link does not write to the link's target", "[code_package]") {
  const Workplace place;
  place.file("target", "kept");
  const auto zip = place.zip(
      "a.zip",
      {{.name = "l", .content = "../target", .type = AE_IFLNK}, {.name = "l", .content = "new"}});
  REQUIRE(unpack_zip(zip, place.out()));
  CHECK(content(place.path("target")) == "kept");
  CHECK(content(place.out() / "l") == "new");
}

TEST_CASE("devices and sockets are refused", "[code_package]") {
  for (const unsigned type : {0020000U, 0060000U, 0140000U}) {
    const Workplace place;
    const auto zip = place.zip("a.zip", {{.name = "node", .content = "x"}});
    set_mode(zip, type | 0644U);
    const auto unpacked = unpack_zip(zip, place.out());
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().kind == CodePackageError::Kind::unsafe);
    CHECK(place.out_is_empty());
  }
}

TEST_CASE("a named pipe in a zip becomes an ordinary file at most", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip", {{.name = "node", .content = "x"}});
  set_mode(zip, 0010000U | 0644U);
  if (unpack_zip(zip, place.out())) CHECK(fs::is_regular_file(place.out() / "node"));
  CHECK_FALSE(fs::is_fifo(place.out() / "node"));
}

TEST_CASE("a bomb of 300 MB stops at the quota and leaves nothing behind", "[code_package]") {
  const Workplace place;
  const auto zip =
      place.zip("bomb.zip",
                {{.name = "small", .content = "x"},
                 {.name = "zeros", .content = std::string(1'000'000, '\0'), .repeat = 300}});
  REQUIRE(fs::file_size(zip) < 1'000'000);
  const auto package = open_code_package(configuration(zip), place.out());
  REQUIRE_FALSE(package);
  CHECK(package.error().kind == CodePackageError::Kind::too_large);
  CHECK(package.error().message.find("250 MB") != std::string::npos);
  CHECK(place.out_is_empty());
}

TEST_CASE("a bomb that lies about its size stops while it is written", "[code_package]") {
  const Workplace place;
  const auto zip =
      place.zip("a.zip", {{.name = "zeros", .content = std::string(1'000'000, '\0'), .repeat = 3}});
  // Every size field of the entry says 5 bytes.
  replace_bytes(zip, std::string("\xC0\xC6\x2D\x00", 4), std::string("\x05\x00\x00\x00", 4));
  const auto unpacked = unpack_zip(zip, place.out(), 1'000'000);
  REQUIRE_FALSE(unpacked);
  CHECK(place.out_is_empty());
}

TEST_CASE("bytes are counted over all entries together", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip",
                             {{.name = "a", .content = std::string(60, 'a')},
                              {.name = "b", .content = std::string(60, 'b')}});
  CHECK(unpack_zip(zip, place.out(), 119).error().kind == CodePackageError::Kind::too_large);
  CHECK(place.out_is_empty());
  CHECK(unpack_zip(zip, place.out(), 120) == 120);
}

TEST_CASE("a truncated zip is refused and leaves nothing behind", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip(
      "a.zip",
      {{.name = "a", .content = std::string(5'000, 'a')}, {.name = "b", .content = "second"}});
  const auto whole = content(zip);
  for (const std::size_t size :
       {whole.size() - 1, whole.size() / 2, std::size_t{10}, std::size_t{0}}) {
    INFO(size);
    const auto cut = place.file("cut.zip", whole.substr(0, size));
    const auto unpacked = unpack_zip(cut, place.out());
    REQUIRE_FALSE(unpacked);
    CHECK(unpacked.error().kind == CodePackageError::Kind::malformed);
    CHECK(place.out_is_empty());
  }
}

TEST_CASE("a damaged entry is refused", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip", {{.name = "a", .content = "some text that is stored"}});
  replace_bytes(zip, "a", "a");
  auto bytes = content(zip);
  bytes[60] = static_cast<char>(bytes[60] ^ 0x55);
  std::ofstream(zip, std::ios::binary) << bytes;
  CHECK_FALSE(unpack_zip(zip, place.out()));
  CHECK(place.out_is_empty());
}

TEST_CASE("an encrypted zip is refused", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip", {{.name = "a", .content = "secret", .passphrase = "p"}});
  const auto unpacked = unpack_zip(zip, place.out());
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().message.find("without a password") != std::string::npos);
  CHECK(place.out_is_empty());
}

TEST_CASE("an entry that is neither stored nor deflated is refused", "[code_package]") {
  const Workplace place;
  const auto zip = place.zip("a.zip", {{.name = "a", .content = "some text, some text"}});
  auto bytes = content(zip);
  constexpr char kLzma = 14;
  bytes[8] = kLzma;
  bytes[bytes.find("PK\x01\x02") + 10] = kLzma;
  std::ofstream(zip, std::ios::binary) << bytes;
  const auto unpacked = unpack_zip(zip, place.out());
  REQUIRE_FALSE(unpacked);
  CHECK(unpacked.error().message.find("neither stored nor deflated") != std::string::npos);
  CHECK(place.out_is_empty());
}

TEST_CASE("a file that is no zip is refused", "[code_package]") {
  const Workplace place;
  const auto file = place.file("code.zip", "#!/bin/sh\n");
  const auto package = open_code_package(configuration(file), place.out());
  REQUIRE_FALSE(package);
  CHECK(package.error().kind == CodePackageError::Kind::malformed);
  CHECK(place.out_is_empty());
}

TEST_CASE("code or a layer that is not there is named", "[code_package]") {
  const Workplace place;
  const auto code = open_code_package(configuration(place.path("none")), place.out());
  REQUIRE_FALSE(code);
  CHECK(code.error().kind == CodePackageError::Kind::missing);
  CHECK(code.error().message.find(place.path("none").string()) != std::string::npos);
  CHECK_FALSE(open_code_package(configuration({}, {place.path("none")}), place.out()));
}

TEST_CASE("a single layer that is a folder is used in place", "[code_package]") {
  const Workplace place;
  place.file("layer/bin/tool", "x");
  const auto package = open_code_package(configuration({}, {place.path("layer")}), place.out());
  REQUIRE(package);
  CHECK(package->task.empty());
  CHECK(package->layers == place.path("layer"));
  CHECK(place.out_is_empty());
}

TEST_CASE("layers are merged in order and a later one wins", "[code_package]") {
  const Workplace place;
  place.file("one/lib/shared", "one");
  place.file("one/lib/only_one", "1");
  fs::permissions(place.file("one/bin/tool", "x"), fs::perms(0755));
  fs::create_symlink("shared", place.path("one/lib/alias"));
  const auto two = place.zip(
      "two.zip",
      {{.name = "lib/shared", .content = "two"}, {.name = "lib/only_two", .content = "2"}});
  const auto package = open_code_package(configuration({}, {place.path("one"), two}), place.out());
  REQUIRE(package);
  CHECK(content(package->layers / "lib/shared") == "two");
  CHECK(content(package->layers / "lib/only_one") == "1");
  CHECK(content(package->layers / "lib/only_two") == "2");
  CHECK(content(package->layers / "lib/alias") == "two");
  CHECK(mode_of(package->layers / "bin/tool") == 0755);
  CHECK(content(place.path("one/lib/shared")) == "one");

  const auto other_way =
      open_code_package(configuration({}, {two, place.path("one")}), place.out());
  REQUIRE(other_way);
  CHECK(content(other_way->layers / "lib/shared") == "one");
}

TEST_CASE("code and layers share one quota", "[code_package]") {
  const Workplace place;
  // A sparse file has its size without taking the disk.
  fs::resize_file(place.file("code/big", ""), kMaxUnzippedBytes - 10);
  place.file("layer/small", "0123456789");
  CHECK(open_code_package(configuration(place.path("code"), {place.path("layer")}), place.out()));
  place.file("layer/more", "x");
  const auto package =
      open_code_package(configuration(place.path("code"), {place.path("layer")}), place.out());
  REQUIRE_FALSE(package);
  CHECK(package.error().kind == CodePackageError::Kind::too_large);
}

TEST_CASE("when a later layer fails nothing of the earlier ones is left", "[code_package]") {
  const Workplace place;
  const auto code = place.zip("code.zip", {{.name = "app.py", .content = "x"}});
  const auto good = place.zip("good.zip", {{.name = "a", .content = "x"}});
  const auto bad = place.zip("bad.zip", {{.name = "../a", .content = "x"}});
  CHECK_FALSE(open_code_package(configuration(code, {good, bad}), place.out()));
  CHECK(place.out_is_empty());
}

TEST_CASE("layers that disagree about a folder and a file are refused", "[code_package]") {
  const Workplace place;
  const auto one = place.zip("one.zip", {{.name = "a/b", .content = "x"}});
  const auto two = place.zip("two.zip", {{.name = "a", .content = "x"}});
  const auto package = open_code_package(configuration({}, {one, two}), place.out());
  REQUIRE_FALSE(package);
  CHECK(package.error().message.find("a folder in one place and a file in another") !=
        std::string::npos);
}

TEST_CASE("code at hand as text is written into a private folder", "[code_package]") {
  const Workplace place;
  {
    const auto folder = write_code_files({{"index.py", "def handler(e, c): ..."}}, place.out());
    REQUIRE(folder);
    CHECK(content((*folder)->path() / "index.py") == "def handler(e, c): ...");
  }
  CHECK(place.out_is_empty());
  CHECK_FALSE(write_code_files({{"../index.py", "x"}}, place.out()));
  CHECK(place.out_is_empty());
}

TEST_CASE("a temporary folder is removed even when its content forbids it", "[code_package]") {
  const Workplace place;
  fs::path path;
  {
    const auto folder = TemporaryFolder::create(place.out());
    REQUIRE(folder);
    path = (*folder)->path();
    fs::create_directories(path / "locked/inner");
    fs::permissions(path / "locked/inner", fs::perms::none);
    fs::permissions(path / "locked", fs::perms::none);
  }
  CHECK_FALSE(fs::exists(path));
}

TEST_CASE("a temporary folder needs a place to be made in", "[code_package]") {
  const auto folder = TemporaryFolder::create("/nonexistent");
  REQUIRE_FALSE(folder);
  CHECK(folder.error().kind == CodePackageError::Kind::host);
}
