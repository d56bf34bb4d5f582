#include "emulator/runtimes/image_layout.h"

#include <archive.h>
#include <archive_entry.h>
#include <nlohmann/json.hpp>

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

constexpr const char* kLayoutFile = "oci-layout";
constexpr const char* kSaveFile = "manifest.json";
constexpr const char* kTagAnnotation = "org.opencontainers.image.ref.name";
constexpr std::size_t kArchiveBlockBytes = 64 * 1024;

// Both files are at the top, but behind the layers where the writer sorted by name.
constexpr int kMaxArchiveEntries = 100'000;

tl::unexpected<RuntimeError> no_image(const std::string& text, const std::string& why) {
  return refuse(RuntimeError::Kind::invalid_function,
                "--image " + text + " " + why +
                    "; give a folder with an OCI layout, or what `docker save` or `skopeo copy` "
                    "wrote");
}

Expected<Json> read_document(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  std::string text(kMaxImageDocumentBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  auto json = text.size() > kMaxImageDocumentBytes ? Json(Json::value_t::discarded)
                                                   : Json::parse(text, nullptr, false);
  if (json.is_object()) return json;
  return refuse(RuntimeError::Kind::invalid_function,
                file.string() + " is no document of a container image; write the image anew");
}

std::string text_in(const Json& json, const char* name) {
  const auto found = json.find(name);
  return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

// What an index lists.
std::vector<Json> manifests_of(const Json& index) {
  std::vector<Json> manifests;
  const auto found = index.find("manifests");
  if (found == index.end() || !found->is_array()) return manifests;
  for (const auto& manifest : *found) {
    if (manifest.is_object()) manifests.push_back(manifest);
  }
  return manifests;
}

std::string tag_of(const Json& manifest) {
  const auto annotations = manifest.find("annotations");
  if (annotations == manifest.end() || !annotations->is_object()) return {};
  return text_in(*annotations, kTagAnnotation);
}

// "sha256:<hex>" → the file; nothing for what could name another file than a blob.
std::optional<fs::path> blob(const fs::path& layout, const Json& descriptor) {
  const auto digest = text_in(descriptor, "digest");
  const auto colon = digest.find(':');
  const auto algorithm = digest.substr(0, colon);
  const auto hex = colon == std::string::npos ? std::string() : digest.substr(colon + 1);
  if (algorithm != "sha256" || hex.size() != 64 ||
      hex.find_first_not_of("0123456789abcdef") != std::string::npos) {
    return std::nullopt;
  }
  return layout / "blobs" / algorithm / hex;
}

Expected<ImageSource> find_in_layout(const std::string& text,
                                     const fs::path& folder,
                                     const std::string& tag) {
  if (folder.string().find(':') != std::string::npos) {
    return no_image(text, "has a colon in its path, which stands before a tag; rename it");
  }
  const auto index = read_document(folder / "index.json");
  if (!index) return tl::unexpected(index.error());
  std::vector<Json> chosen;
  std::string known;
  for (auto& manifest : manifests_of(*index)) {
    const auto name = tag_of(manifest);
    known += " " + (name.empty() ? "(without a tag)" : name);
    if (tag.empty() || name == tag) chosen.push_back(std::move(manifest));
  }
  if (chosen.empty()) {
    return no_image(text, known.empty() ? "holds no image" : "has no such tag, but:" + known);
  }
  if (chosen.size() > 1) {
    return no_image(text, "holds several images; add one of their tags, as DIR:TAG:" + known);
  }
  const auto file = blob(folder, chosen.front());
  if (!file) return no_image(text, "has an index that names no manifest");
  return ImageSource{.transport = "oci",
                     .path = folder,
                     .tag = tag_of(chosen.front()),
                     .identity = file->filename().string()};
}

struct ArchiveEnd {
  void operator()(archive* open) const { archive_read_free(open); }
};

// The format of an archive, by the file at its top; empty: none that we know.
std::string archive_transport(const fs::path& file) {
  const std::unique_ptr<archive, ArchiveEnd> reading(archive_read_new());
  archive_read_support_format_tar(reading.get());
  archive_read_support_filter_all(reading.get());
  if (archive_read_open_filename(reading.get(), file.c_str(), kArchiveBlockBytes) != ARCHIVE_OK) {
    return {};
  }
  std::string transport;
  archive_entry* entry = nullptr;
  for (int seen = 0; seen < kMaxArchiveEntries; ++seen) {
    if (archive_read_next_header(reading.get(), &entry) != ARCHIVE_OK) break;
    const char* name = archive_entry_pathname(entry);
    std::string_view path = name != nullptr ? name : "";
    if (path.starts_with("./")) path.remove_prefix(2);
    // Newer versions of `docker save` write both kinds into one archive.
    if (path == kLayoutFile) return "oci-archive";
    if (path == kSaveFile) transport = "docker-archive";
  }
  return transport;
}

Expected<ImageSource> find_in_archive(const std::string& text, const fs::path& file) {
  struct stat status {};
  if (::stat(file.c_str(), &status) != 0) return no_image(text, "cannot be read");
  const auto transport = archive_transport(file);
  if (transport.empty()) return no_image(text, "is no archive of a container image");
  return ImageSource{
      .transport = transport,
      .path = file,
      .tag = {},
      .identity = std::to_string(status.st_dev) + "." + std::to_string(status.st_ino) + "." +
                  std::to_string(status.st_size) + "." + std::to_string(status.st_mtim.tv_sec) +
                  "." + std::to_string(status.st_mtim.tv_nsec)};
}

std::vector<std::string> words_in(const Json& json, const char* name) {
  std::vector<std::string> words;
  const auto found = json.find(name);
  if (found == json.end() || !found->is_array()) return words;
  for (const auto& word : *found) {
    if (word.is_string()) words.push_back(word.get<std::string>());
  }
  return words;
}

}  // namespace

Expected<ImageSource> find_image(const std::string& text) {
  std::error_code error;
  const fs::path whole(text);
  if (fs::exists(whole / kLayoutFile, error)) return find_in_layout(text, whole, {});
  if (fs::is_regular_file(whole, error)) return find_in_archive(text, whole);
  if (const auto colon = text.rfind(':'); colon != std::string::npos) {
    const fs::path folder(text.substr(0, colon));
    if (fs::exists(folder / kLayoutFile, error)) {
      return find_in_layout(text, folder, text.substr(colon + 1));
    }
  }
  if (fs::is_directory(whole, error)) {
    return no_image(text, "is a folder without an OCI layout (for unpacked files: --rootfs)");
  }
  return no_image(text, "does not exist");
}

Expected<ImageConfig> read_image_config(const fs::path& layout) {
  const auto index = read_document(layout / "index.json");
  if (!index) return tl::unexpected(index.error());
  const auto manifests = manifests_of(*index);
  const auto manifest_file = manifests.empty() ? std::nullopt : blob(layout, manifests.front());
  if (!manifest_file) return no_image(layout.string(), "has an index that names no manifest");
  const auto manifest = read_document(*manifest_file);
  if (!manifest) return tl::unexpected(manifest.error());
  const auto config_file = blob(layout, manifest->value("config", Json::object()));
  if (!config_file) return no_image(layout.string(), "has a manifest without a configuration");
  const auto document = read_document(*config_file);
  if (!document) return tl::unexpected(document.error());

  ImageConfig config;
  const auto inner = document->find("config");
  if (inner == document->end() || !inner->is_object()) return config;
  config.entrypoint = words_in(*inner, "Entrypoint");
  config.command = words_in(*inner, "Cmd");
  config.working_folder = text_in(*inner, "WorkingDir");
  for (const auto& pair : words_in(*inner, "Env")) {
    const auto equals = pair.find('=');
    if (equals == 0 || equals == std::string::npos) continue;
    config.variables[pair.substr(0, equals)] = pair.substr(equals + 1);
  }
  return config;
}

}  // namespace emulator::runtimes
