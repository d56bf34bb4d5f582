#include "emulator/runtimes/image_layout.h"

#include "tests/unit/emulator/runtimes/temporary_folder.h"

#include <archive.h>
#include <archive_entry.h>
#include <catch2/catch_test_macros.hpp>

#include <filesystem>
#include <fstream>

using namespace emulator::runtimes;
using runtimes_test::TemporaryFolder;
namespace fs = std::filesystem;

namespace {

const std::string kDigest(64, 'a');
const std::string kOther(64, 'b');

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text;
}

std::string manifest_entry(const std::string& hex, const std::string& tag) {
  auto text = R"({"digest":"sha256:)" + hex + "\"";
  if (!tag.empty()) {
    text += R"(,"annotations":{"org.opencontainers.image.ref.name":")" + tag + "\"}";
  }
  return text + "}";
}

void write_layout(const fs::path& folder, const std::string& manifests) {
  write(folder / "oci-layout", R"({"imageLayoutVersion":"1.0.0"})");
  write(folder / "index.json", R"({"manifests":[)" + manifests + "]}");
}

void write_archive(const fs::path& file, const std::vector<std::string>& names) {
  auto* writing = archive_write_new();
  archive_write_set_format_pax_restricted(writing);
  REQUIRE(archive_write_open_filename(writing, file.c_str()) == ARCHIVE_OK);
  for (const auto& name : names) {
    auto* entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, 0);
    archive_write_header(writing, entry);
    archive_entry_free(entry);
  }
  archive_write_free(writing);
}

std::string refusal(const std::string& text) {
  const auto found = find_image(text);
  REQUIRE_FALSE(found);
  CHECK(found.error().kind == RuntimeError::Kind::invalid_function);
  return found.error().message;
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a layout with one image needs no tag, and one with several needs it", "[images]") {
  const TemporaryFolder folder;
  const auto place = folder.path() / "layout";
  write_layout(place, manifest_entry(kDigest, "v1"));
  CHECK(find_image(place.string()).value() ==
        ImageSource{.transport = "oci", .path = place, .tag = "v1", .identity = kDigest});

  write_layout(place, manifest_entry(kDigest, "v1") + "," + manifest_entry(kOther, "v2"));
  CHECK(find_image(place.string() + ":v2").value().identity == kOther);
  CHECK(contains(refusal(place.string()), "v1 v2"));
  CHECK(contains(refusal(place.string() + ":v3"), "no such tag"));
}

TEST_CASE("an archive is known by the file at its top, wherever it stands", "[images]") {
  const TemporaryFolder folder;
  const auto file = folder.path() / "image.tar";
  write_archive(file, {"blobs/sha256/x", "manifest.json"});
  CHECK(find_image(file.string()).value().transport == "docker-archive");
  const auto before = find_image(file.string()).value().identity;
  write_archive(file, {"manifest.json", "./oci-layout", "a-further-file"});
  CHECK(find_image(file.string()).value().transport == "oci-archive");
  CHECK(find_image(file.string()).value().identity != before);
  write_archive(file, {"folder/manifest.json"});
  CHECK(contains(refusal(file.string()), "no archive of a container image"));
}

TEST_CASE("what is no image is named with what to give instead", "[images]") {
  const TemporaryFolder folder;
  CHECK(contains(refusal((folder.path() / "missing").string()), "does not exist"));
  CHECK(contains(refusal(folder.path().string()), "--rootfs"));
  const auto place = folder.path() / "layout";
  write_layout(place, "");
  CHECK(contains(refusal(place.string()), "holds no image"));
  write_layout(place, manifest_entry("../../../etc/passwd", ""));
  CHECK(contains(refusal(place.string()), "names no manifest"));
  write(place / "index.json", "[");
  CHECK(contains(refusal(place.string()), "index.json"));
}

TEST_CASE("an image's configuration says how it is started", "[images]") {
  const TemporaryFolder folder;
  const auto place = folder.path() / "layout";
  write_layout(place, manifest_entry(kDigest, ""));
  const auto blobs = place / "blobs/sha256";
  write(blobs / kDigest, R"({"config":{"digest":"sha256:)" + kOther + R"("}})");
  write(blobs / kOther,
        R"({"config":{"Entrypoint":["/start"],"Cmd":["app.handler",7],"WorkingDir":"/srv",)"
        R"("Env":["PATH=/bin","EMPTY=","=odd","NONE","A=B=C"],"User":"1234"}})");
  const ImageConfig expected{.entrypoint = {"/start"},
                             .command = {"app.handler"},
                             .variables = {{"PATH", "/bin"}, {"EMPTY", ""}, {"A", "B=C"}},
                             .working_folder = "/srv"};
  CHECK(read_image_config(place).value() == expected);

  write(blobs / kOther, R"({"config":null})");
  CHECK(read_image_config(place).value() == ImageConfig{});
  write(blobs / kOther, "no JSON");
  CHECK_FALSE(read_image_config(place));
  write(blobs / kDigest, R"({"config":"sha256"})");
  CHECK_FALSE(read_image_config(place));
}
