// Layers as the registry keeps them, and how they are named.
//
// Pure but for reading the registry; any thread.
#pragma once

#include "emulator/control_plane/operation.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace emulator::control_plane {

struct LayerVersionName {
  std::string region;
  std::string account;
  std::string layer;  // the bare name
  std::int64_t version = 0;
};

// arn:aws:lambda:REGION:ACCOUNT:layer:NAME:VERSION
std::optional<LayerVersionName> parse_layer_version_arn(std::string_view arn);

// A layer's name or ARN without a version → the bare name.
std::optional<std::string> parse_layer_name(std::string_view text);

std::string layer_arn(const ServiceWorld& world, std::string_view layer);

struct LayerVersion {
  std::string package;  // its content in the code store
  std::int64_t zip_bytes = 0;
  std::int64_t unzipped_bytes = 0;
  // Nobody may take it up any more; functions that have it go on. Source: developer guide,
  // "Deleting a layer version".
  bool deleted = false;
};

// nullptr: there never was one.
std::unique_ptr<LayerVersion> find_layer_version(const ServiceWorld& world,
                                                 std::string_view layer,
                                                 std::int64_t version);

// The registry's key: sorts by name, then by number, for '#' comes before all that names hold.
std::string layer_key(std::string_view layer, std::int64_t version);

}  // namespace emulator::control_plane
