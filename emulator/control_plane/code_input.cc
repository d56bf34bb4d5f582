#include "emulator/control_plane/code_input.h"

#include "emulator/functions/base64.h"

#include <nlohmann/json.hpp>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <filesystem>

namespace emulator::control_plane {
namespace {

namespace fs = std::filesystem;

std::string sha256_base64(std::string_view text) {
  std::array<char, 32> digest{};
  auto* bytes = reinterpret_cast<unsigned char*>(digest.data());
  ::EVP_Digest(text.data(), text.size(), bytes, nullptr, ::EVP_sha256(), nullptr);
  return functions::base64_encoded({digest.data(), digest.size()});
}

ServiceError refused(std::string message) { return invalid_parameter_value(std::move(message)); }

// Links are followed to their ends before it is said where a folder lies.
bool is_allowed(const std::string& path, const ServiceWorld& world) {
  std::error_code error;
  const auto folder = fs::weakly_canonical(path, error);
  if (error) return false;
  return std::any_of(
      world.hot_folders.begin(), world.hot_folders.end(), [&](const fs::path& allowed) {
        const auto relative = folder.lexically_relative(fs::weakly_canonical(allowed, error));
        return !error && !relative.empty() && *relative.begin() != "..";
      });
}

tl::expected<AcceptedCode, ServiceError> accept_folder(const std::string& path,
                                                       const ServiceWorld& world) {
  std::error_code gone;
  if (!fs::path(path).is_absolute()) {
    return tl::unexpected(
        refused("S3Key of the bucket hot-reload must be the absolute path of a "
                "folder on this machine, not '" +
                path + "'"));
  }
  if (!fs::is_directory(path, gone)) {
    return tl::unexpected(refused("There is no folder " + path +
                                  " on this machine; S3Key of the bucket hot-reload names a folder "
                                  "with the function's code"));
  }
  if (!is_allowed(path, world)) {
    return tl::unexpected(refused("Folder " + path +
                                  " is outside of those that functions may be made of; start "
                                  "hearth serve in a folder above it, or with --hot-reload and "
                                  "that folder"));
  }
  return folder_as_code(fs::path(path).lexically_normal());
}

// Source of the texts of a wrong and of a large package: recorded.
ServiceError from_package(const functions::CodePackageError& error, std::int64_t limit) {
  using Kind = functions::CodePackageError::Kind;
  switch (error.kind) {
    case Kind::too_large:
      return refused("Unzipped size must be smaller than " + std::to_string(limit) + " bytes");
    case Kind::malformed:
    case Kind::missing:
    case Kind::unsafe:
      return refused(
          "Could not unzip uploaded file. Please check your file, then try to upload again.");
    case Kind::host:
      break;
  }
  return service_exception(error.message);
}

tl::expected<AcceptedCode, ServiceError> accept_zip(const std::string& base64,
                                                    const ServiceWorld& world,
                                                    std::int64_t unzipped_limit) {
  const auto bytes = functions::base64_decoded(base64);
  if (!bytes) {
    return tl::unexpected(serialization_failure("ZipFile is not base64"));
  }
  if (static_cast<std::int64_t>(bytes->size()) > world.limits.zipped_code_bytes) {
    return tl::unexpected(zip_too_large(world.limits.zipped_code_bytes));
  }
  const auto stored = world.code.add(*bytes, unzipped_limit);
  if (!stored)
    return tl::unexpected(from_package(stored.error(), world.limits.unzipped_code_bytes));
  AcceptedCode accepted;
  accepted.source.sha256_hex = stored->sha256_hex;
  accepted.sha256_base64 = stored->sha256_base64;
  accepted.zip_bytes = stored->zip_bytes;
  accepted.unzipped_bytes = stored->unzipped_bytes;
  accepted.hold = stored->hold;
  return accepted;
}

}  // namespace

tl::expected<AcceptedCode, ServiceError> accept_code(const Document& code,
                                                     const ServiceWorld& world,
                                                     std::int64_t unzipped_limit) {
  const auto bucket = code.value("S3Bucket", "");
  if (bucket == kHotReloadBucket) return accept_folder(code.value("S3Key", ""), world);
  if (!bucket.empty()) {
    // Source of the first two sentences: recorded.
    return tl::unexpected(refused(
        "Error occurred while GetObject. S3 Error Code: NoSuchBucket. S3 Error Message: The "
        "specified bucket does not exist (Hearth has no S3: send the code as ZipFile, or "
        "name the bucket hot-reload and a folder's absolute path as key)"));
  }
  if (code.contains("ImageUri")) {
    return tl::unexpected(
        refused("Functions of container images are not available in Hearth; send the code as "
                "ZipFile, and an unpacked image with --rootfs"));
  }
  const auto zip = code.find("ZipFile");
  if (zip == code.end()) {
    return tl::unexpected(refused("Please provide a source for function code."));
  }
  return accept_zip(zip->get_ref<const std::string&>(), world, unzipped_limit);
}

AcceptedCode folder_as_code(const fs::path& folder) {
  AcceptedCode accepted;
  accepted.source.folder = folder;
  // A folder has no one content; its path stands for it.
  accepted.sha256_base64 = sha256_base64(folder.string());
  return accepted;
}

}  // namespace emulator::control_plane
