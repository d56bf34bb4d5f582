#include "emulator/template/local_content.h"

namespace emulator::templates {
namespace {

tl::unexpected<TemplateError> refuse(const Node& node, std::string message) {
  return tl::unexpected(error_at(node, std::move(message)));
}

std::filesystem::path resolved(const std::filesystem::path& folder, const std::string& text) {
  auto path = (folder / text).lexically_normal();
  if (!path.has_filename() && path.has_parent_path()) path = path.parent_path();
  return path;
}

const Node* asset_path(const Node& resource) {
  const auto* metadata = resource.find("Metadata");
  const auto* asset = metadata ? metadata->find("aws:asset:path") : nullptr;
  return asset && asset->is(NodeKind::scalar) && !asset->text.empty() ? asset : nullptr;
}

constexpr auto kBringItHere =
    "; name a local folder or .zip file instead, such as the build folder before it was packaged";

}  // namespace

bool has_asset_path(const Node& resource) { return asset_path(resource) != nullptr; }

tl::expected<std::filesystem::path, TemplateError> local_content(
    const Node& content, const Node& resource, const std::filesystem::path& folder) {
  if (const auto* asset = asset_path(resource)) return resolved(folder, asset->text);
  if (content.is(NodeKind::map)) {
    if (content.find("ImageUri")) {
      return refuse(content,
                    "container images are not run; package the function as a folder or "
                    ".zip file, or run the image itself with `hearth rie` inside it");
    }
    if (content.find("Bucket") || content.find("S3Bucket") || content.find("S3Key")) {
      return refuse(
          content,
          std::string("the content lies in S3, which Hearth does not read") + kBringItHere);
    }
  }
  if (!content.is(NodeKind::scalar) || content.text.empty()) {
    return refuse(content,
                  "a folder or .zip file is wanted here, and this is " +
                      (content.is(NodeKind::scalar) ? std::string("empty")
                                                    : std::string(content.kind_name())) +
                      "; write its path, relative to the template");
  }
  const auto& text = content.text;
  if (text.starts_with("s3://") || text.starts_with("https://") || text.starts_with("http://")) {
    return refuse(content, "'" + text.substr(0, 100) + "' is not on this machine" + kBringItHere);
  }
  if (text.find('\0') != std::string::npos) {
    return refuse(content, "a path cannot hold a NUL byte; remove it");
  }
  return resolved(folder, text);
}

}  // namespace emulator::templates
