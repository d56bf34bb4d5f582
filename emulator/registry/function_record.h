// What the service knows of a function: its versions, its aliases, and what was configured around
// them. A record is immutable once it is shared; whoever changes a function makes a new record.
//
// Configurations that the machine does not read, or reads only in part, are kept as the JSON text
// that the Lambda API answers with: nothing is lost between what a client sent and what it reads
// back, and a list of ten thousand functions is put together from texts.
//
// Values only; any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::registry {

using WallTime = std::chrono::system_clock::time_point;

// Where a version's code lies: a package that was uploaded, named by its content, or a folder of
// the developer's that is used in place and watched.
struct CodeSource {
  std::string sha256_hex;        // of the package in the code store; empty for a folder
  std::filesystem::path folder;  // empty for a package
  // Only of functions that are described on the command line or in a template: what is started in
  // place of a bootstrap, and layers that are folders or .zip files of this machine.
  std::vector<std::string> command;
  std::vector<std::filesystem::path> layers;
  // Of published versions of such functions: copies of these layers, in the code store.
  std::vector<std::string> layer_packages;
  bool operator==(const CodeSource&) const = default;
};

// $LATEST or a published version. Published ones never change; $LATEST.PUBLISHED is another one
// each time.
struct FunctionVersion {
  std::string function_name;
  std::string number = "$LATEST";  // or "1", "2", …, or "$LATEST.PUBLISHED"
  // The member "FunctionConfiguration" of the public service model, as JSON text.
  std::string configuration;
  CodeSource code;
  bool operator==(const FunctionVersion&) const = default;
};
using SharedVersion = std::shared_ptr<const FunctionVersion>;

// Source: service model, AliasConfiguration and AliasRoutingConfiguration.
struct Alias {
  std::string name;
  std::string version;  // the one that has the rest of the weight
  std::string description;
  std::map<std::string, double> weights;  // further version → its part, from 0 to 1
  std::string revision_id;
  bool operator==(const Alias&) const = default;
};

// Of asynchronous invocations. Source: service model, FunctionEventInvokeConfig; developer guide
// for what holds where nothing is set: two retries, six hours.
struct EventInvokeConfig {
  std::optional<int> maximum_retry_attempts;
  std::optional<int> maximum_event_age_seconds;
  std::string on_success;  // destination's ARN; empty: none
  std::string on_failure;
  WallTime last_modified;
  bool operator==(const EventInvokeConfig&) const = default;
};

struct ProvisionedConcurrency {
  int requested = 0;
  WallTime last_modified;
  bool operator==(const ProvisionedConcurrency&) const = default;
};

// How many environments a version on Managed Instances has; both 0: it is deactivated. Source:
// service model, FunctionScalingConfig.
struct ScalingConfig {
  int least = 0;
  int most = 0;
  bool operator==(const ScalingConfig&) const = default;
};

struct FunctionRecord {
  std::string name;
  SharedVersion latest;
  SharedVersion latest_published;  // of a function on Managed Instances; nullptr: there is none
  std::map<std::int64_t, SharedVersion> published;
  std::int64_t last_published = 0;  // numbers are never given twice
  std::map<std::string, Alias> aliases;
  std::optional<int> reserved_concurrency;
  std::map<std::string, std::string> tags;
  // By qualifier: $LATEST, a version or an alias.
  std::map<std::string, ProvisionedConcurrency> provisioned;
  std::map<std::string, EventInvokeConfig> event_invoke;
  std::map<std::string, ScalingConfig> scaling;  // by number of the version
  // What is only kept and given back, or remembered by the operations, as texts: "policy", "url",
  // "recursion", "runtime", "code_signing", "described", "described_as" …, followed by "/" and a
  // qualifier where each has its own.
  std::map<std::string, std::string> settings;

  // The version of that number; nullptr when there is none.
  SharedVersion version(std::string_view number) const;

  // $LATEST first, then $LATEST.PUBLISHED, then the oldest.
  std::vector<SharedVersion> versions() const;

  // Hashes of all packages that its versions name, as often as they do.
  std::vector<std::string> packages() const;
};
using SharedFunction = std::shared_ptr<const FunctionRecord>;

}  // namespace emulator::registry
