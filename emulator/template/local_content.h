// Where a function's code or a layer's content lies on this machine.
#pragma once

#include "emulator/template/document.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <string>

namespace emulator::templates {

// `content` is the worked-out value of CodeUri, Code, ContentUri or Content; `resource` the whole
// resource, whose Metadata may name the folder a CDK application was synthesised from
// (aws:asset:path), which is preferred over the S3 object standing in for it. A relative path is
// resolved against `folder`. Code in S3 and container images are errors that say how to mend them.
tl::expected<std::filesystem::path, TemplateError> local_content(
    const Node& content, const Node& resource, const std::filesystem::path& folder);

// Whether the resource's Metadata names such a folder; then `content` is not looked at.
bool has_asset_path(const Node& resource);

}  // namespace emulator::templates
