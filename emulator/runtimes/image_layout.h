// Container images as files: what kind a path is, and what a layout says of the image in it.
//
// Source of both formats: the OCI image specification 1.0, image layout, index, manifest and
// configuration; what `docker save` writes.
//
// Threads: any.
#pragma once

#include "emulator/runtimes/runtime_error.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace emulator::runtimes {

// An index, a manifest or a configuration of an image. Our choice: a hundred times what images
// have.
inline constexpr std::size_t kMaxImageDocumentBytes = 4 * 1024 * 1024;

// How an image wants to be started. Its user is left out: Lambda runs every function as a user of
// its own, whatever an image says (docs/fidelity.md).
struct ImageConfig {
  std::vector<std::string> entrypoint;
  std::vector<std::string> command;
  std::map<std::string, std::string> variables;
  std::string working_folder;  // empty: "/"
  bool operator==(const ImageConfig&) const = default;
};

// An image at a place, not looked into yet.
struct ImageSource {
  std::string transport;  // skopeo's name of the format: "oci", "oci-archive", "docker-archive"
  std::filesystem::path path;
  std::string tag;       // of a layout with several images; empty: its only one
  std::string identity;  // changes when the image may have: a key for what was made of it
  bool operator==(const ImageSource&) const = default;
};

// `text` is a folder that holds a layout, that followed by ":TAG", or an archive.
Expected<ImageSource> find_image(const std::string& text);

// What a layout with a single image says of it.
Expected<ImageConfig> read_image_config(const std::filesystem::path& layout);

}  // namespace emulator::runtimes
