#include "emulator/runtimes/image_unpacking.h"

#include "emulator/runtimes/runtime_client_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <vector>

namespace emulator::runtimes {
namespace {

namespace fs = std::filesystem;

// An image's folder in the cache: its root, the layout without its layers, and a lock that whoever
// uses it holds.
constexpr const char* kBundle = "bundle";
constexpr const char* kRoot = "rootfs";
constexpr const char* kLayout = "layout";
constexpr const char* kInUse = "in-use";
constexpr const char* kOnlyTag = "hearth";

// Both come as Debian packages of their own names.
constexpr std::string_view kTools[] = {"skopeo", "umoci"};

// What a failed tool last wrote that is worth showing.
constexpr std::size_t kShownLogBytes = 400;

Expected<void> check_tools(const ImageHost& host) {
  std::vector<std::string> missing;
  for (const auto tool : kTools) {
    if (!host.has_program(tool)) missing.emplace_back(tool);
  }
  if (missing.empty()) return {};
  std::string names;
  for (const auto& name : missing) names.append(names.empty() ? "" : " and ").append(name);
  return refuse(RuntimeError::Kind::tools_missing,
                "images are unpacked by " + names +
                    ", which this host lacks; run: " + install_advice(missing, host.distribution));
}

std::string end_of(const fs::path& log) {
  std::ifstream in(log, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text.substr(text.size() - std::min(text.size(), kShownLogBytes));
}

Expected<void> run(const ImageHost& host, ChildCommand command, const fs::path& log) {
  const auto name = command.argv.front();
  const auto status = host.run(command, log);
  if (!status) return tl::unexpected(status.error());
  if (*status == 0) return {};
  return refuse(RuntimeError::Kind::installation_failed,
                name + " could not unpack the image (status " + std::to_string(*status) +
                    "); write the image anew, or see what it said: " + end_of(log));
}

std::string reference(const ImageSource& source) {
  auto text = source.transport + ":" + source.path.string();
  return source.tag.empty() ? text : text + ":" + source.tag;
}

// Copied first, whatever it is: so there is one format with one image, for this machine's
// architecture, and half a file is noticed.
Expected<void> fill(const ImageSource& source,
                    const ImageHost& host,
                    const fs::path& folder,
                    const fs::path& log) {
  const auto layout = (folder / kLayout).string();
  auto copied = run(host,
                    {.argv = {"skopeo",
                              "copy",
                              "--quiet",
                              "--insecure-policy",
                              reference(source),
                              "oci:" + layout + ":" + kOnlyTag},
                     .folder = {},
                     .environment = {}},
                    log);
  if (!copied) return copied;
  ChildCommand unpack{.argv = {"umoci", "unpack", "--image", layout + ":" + kOnlyTag},
                      .folder = {},
                      .environment = {}};
  if (!host.superuser) unpack.argv.emplace_back("--rootless");
  unpack.argv.push_back((folder / kBundle).string());
  return run(host, std::move(unpack), log);
}

// The layers are in the root now; the documents stay.
void drop_layers(const fs::path& layout) {
  std::error_code error;
  for (const auto& entry : fs::recursive_directory_iterator(layout, error)) {
    if (entry.is_regular_file(error) && entry.file_size(error) > kMaxImageDocumentBytes) {
      fs::remove(entry.path(), error);
    }
  }
}

// Shared: others may use the image as well. Nothing where it was removed meanwhile.
std::shared_ptr<const void> hold(const fs::path& entry) {
  const auto file = entry / kInUse;
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
  if (descriptor < 0) return nullptr;
  auto held =
      std::shared_ptr<const void>(nullptr, [descriptor](const void*) { ::close(descriptor); });
  while (::flock(descriptor, LOCK_SH) != 0) {
    if (errno != EINTR) return nullptr;
  }
  std::error_code error;
  if (!fs::exists(entry / kBundle / kRoot, error)) return nullptr;
  // When it was last used, for the choice of what goes.
  ::futimens(descriptor, nullptr);
  // The deleter alone matters, but a null pointer would read as "nothing".
  return {std::move(held), &kTools};
}

Expected<std::optional<UnpackedImage>> kept(const RuntimeClientCache& cache,
                                            const ImageSource& source) {
  const auto entry = cache.find(source.transport, source.identity);
  if (!entry) return std::nullopt;
  auto in_use = hold(entry->folder);
  if (!in_use) return std::nullopt;
  auto config = read_image_config(entry->folder / kLayout);
  if (!config) return tl::unexpected(config.error());
  return UnpackedImage{.root = entry->folder / kBundle / kRoot,
                       .config = std::move(*config),
                       .in_use = std::move(in_use)};
}

// With the cache's lock held, so nothing begins to be used that was not.
void forget_old_ones(const RuntimeClientCache& cache) {
  struct Old {
    fs::path folder;
    fs::file_time_type used;
  };
  std::vector<Old> all;
  std::error_code error;
  for (const auto& entry : cache.list()) {
    all.push_back({entry.folder, fs::last_write_time(entry.folder / kInUse, error)});
  }
  std::sort(all.begin(), all.end(), [](const Old& a, const Old& b) { return a.used < b.used; });
  auto left = all.size();
  for (const auto& old : all) {
    if (left < kImagesKept) return;  // one has room
    const auto file = old.folder / kInUse;
    const int descriptor = ::open(file.c_str(), O_RDWR | O_CLOEXEC);
    if (descriptor >= 0 && ::flock(descriptor, LOCK_EX | LOCK_NB) == 0) {
      fs::remove_all(old.folder, error);
      --left;
    }
    if (descriptor >= 0) ::close(descriptor);
  }
}

}  // namespace

Expected<UnpackedImage> unpack_image(const std::string& text, const ImageHost& host) {
  const auto source = find_image(text);
  if (!source) return tl::unexpected(source.error());
  const RuntimeClientCache cache(host.cache_root);
  auto found = kept(cache, *source);
  if (!found) return tl::unexpected(found.error());
  if (*found) return std::move(**found);
  if (auto tools = check_tools(host); !tools) return tl::unexpected(tools.error());

  auto staging = cache.stage();
  if (!staging) return tl::unexpected(staging.error());
  // Whoever held the lock before may have unpacked the same.
  found = kept(cache, *source);
  if (!found) return tl::unexpected(found.error());
  if (*found) return std::move(**found);
  if (host.progress) host.progress("unpacking " + text + ", once");
  const auto log = cache.log_file(source->transport, source->identity);
  std::error_code ignored;
  fs::remove(log, ignored);
  if (auto filled = fill(*source, host, staging->folder(), log); !filled) {
    return tl::unexpected(filled.error());
  }
  fs::remove(log, ignored);
  drop_layers(staging->folder() / kLayout);
  std::ofstream(staging->folder() / kInUse) << "";
  forget_old_ones(cache);
  if (const auto put = cache.commit(std::move(*staging), source->transport, source->identity);
      !put) {
    return tl::unexpected(put.error());
  }
  found = kept(cache, *source);
  if (!found) return tl::unexpected(found.error());
  if (*found) return std::move(**found);
  return refuse(RuntimeError::Kind::cache_unusable,
                "what was unpacked of " + text + " is gone again from " + host.cache_root.string() +
                    "; leave that folder alone");
}

}  // namespace emulator::runtimes
