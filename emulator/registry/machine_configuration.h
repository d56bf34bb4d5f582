// What the machine reads of a version's configuration: the members that change how it runs.
//
// Pure but for the functions handed in; any thread.
#pragma once

#include "emulator/functions/function.h"
#include "emulator/registry/function_record.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

namespace emulator::registry {

// Where unpacked code lies on this host; nullopt: it is not there.
struct CodePlaces {
  std::function<std::optional<std::filesystem::path>(const std::string& sha256_hex)> package;
  std::function<std::optional<std::filesystem::path>(const std::string& arn)> layer_version;
};

// A sentence where the code, a layer or the configuration itself cannot be had.
tl::expected<functions::FunctionConfiguration, std::string> machine_configuration(
    const FunctionVersion& version, const CodePlaces& places);

// Whether environments of one may go on serving the other: code and configuration are the same but
// for the revision, which is new after every publishing and tagging.
bool runs_alike(const FunctionVersion& one, const FunctionVersion& other);

// Whether it is run from a snapshot, once it is published.
bool uses_snap_start(const FunctionVersion& version);
// Whether its environments are those of Managed Instances.
bool runs_on_managed_instances(const FunctionVersion& version);

// The target that a version's dead letters go to; empty: none.
std::string dead_letter_target(const FunctionVersion& version);

}  // namespace emulator::registry
