#include "emulator/control_plane/version_publishing.h"

#include "emulator/control_plane/function_configuration.h"
#include "emulator/control_plane/function_names.h"
#include "emulator/control_plane/managed_instances.h"
#include "emulator/control_plane/snap_start.h"
#include "emulator/functions/zip_writer.h"

#include <nlohmann/json.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>

namespace emulator::control_plane {
namespace {

// Which description $LATEST had when the last version was made of it, as a JSON text. The version
// itself may have been given another one.
std::string described_key(PublishTerms::To to) {
  if (to == PublishTerms::To::next_number) return "described";
  return "described/" + std::string(functions::kLatestPublished);
}

// What differs between $LATEST and a version of it although nothing has changed.
Document comparable(Document configuration) {
  for (const auto* member : {"Version",
                             "FunctionArn",
                             "RevisionId",
                             "LastModified",
                             "Description",
                             "State",
                             "StateReason",
                             "StateReasonCode",
                             "LastUpdateStatus"}) {
    configuration.erase(member);
  }
  if (uses_snap_start(configuration)) configuration["SnapStart"].erase("OptimizationStatus");
  return configuration;
}

std::string description_of(const Document& configuration) {
  return Document(configuration.value("Description", "")).dump();
}

// A description alone is a change too. Source: recorded.
bool is_unchanged(const registry::FunctionRecord& function,
                  const std::string& described_key,
                  const Document& former,
                  const Document& latest) {
  const auto described = function.settings.find(described_key);
  return comparable(former) == comparable(latest) && described != function.settings.end() &&
         described->second == description_of(latest);
}

tl::expected<void, ServiceError> check(const PublishTerms& terms, const Document& latest) {
  if (!terms.revision_id.empty() && terms.revision_id != latest.value("RevisionId", "")) {
    return tl::unexpected(revision_mismatch("GetFunction/GetAlias"));
  }
  const auto current = latest.value("CodeSha256", "");
  if (terms.code_sha256.empty() || terms.code_sha256 == current) return {};
  return tl::unexpected(invalid_parameter_value(
      "CodeSHA256 (" + terms.code_sha256 + ") is different from current CodeSHA256 in $LATEST (" +
      current + "). Please try again with the CodeSHA256 in $LATEST."));
}

// Code that is described on the command line may be a package already.
tl::expected<std::string, functions::CodePackageError> package_of(
    const std::filesystem::path& place) {
  std::error_code gone;
  if (!std::filesystem::is_regular_file(place, gone)) return functions::zip_of_folder(place);
  std::ifstream file(place, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

// What lies at that place now, kept for good.
tl::expected<functions::StoredCode, ServiceError> kept_for_good(const std::filesystem::path& place,
                                                                const ServiceWorld& world) {
  const auto zip = package_of(place);
  if (!zip) return tl::unexpected(invalid_parameter_value(zip.error().message));
  const auto stored = world.code.add(*zip, world.limits.unzipped_code_bytes);
  if (!stored) return tl::unexpected(invalid_parameter_value(stored.error().message));
  return *stored;
}

using CodeHolds = std::vector<functions::CodeHold>;

// Folders that are used in place become packages, held until the registry names them.
tl::expected<CodeHolds, ServiceError> freeze_code(registry::FunctionVersion& version,
                                                  Document& configuration,
                                                  const ServiceWorld& world) {
  CodeHolds holds;
  auto& code = version.code;
  for (const auto& layer : code.layers) {
    const auto stored = kept_for_good(layer, world);
    if (!stored) return tl::unexpected(stored.error());
    code.layer_packages.push_back(stored->sha256_hex);
    holds.push_back(stored->hold);
  }
  code.layers.clear();
  if (code.folder.empty()) return holds;
  const auto stored = kept_for_good(code.folder, world);
  if (!stored) return tl::unexpected(stored.error());
  code.folder.clear();
  code.sha256_hex = stored->sha256_hex;
  configuration["CodeSize"] = stored->zip_bytes;
  configuration["CodeSha256"] = stored->sha256_base64;
  holds.push_back(stored->hold);
  return holds;
}

// What a version is called, and that it can be invoked.
void name_version(const std::string& function,
                  const ServiceWorld& world,
                  registry::FunctionVersion& version,
                  Document& configuration) {
  configuration["Version"] = version.number;
  configuration["FunctionArn"] = arn_of(world, function, version.number);
  configuration["RevisionId"] = world.new_uuid();
  if (configuration.value("State", "") == kNotInvocable) configuration["State"] = "Active";
  if (uses_snap_start(configuration)) configuration["SnapStart"]["OptimizationStatus"] = "On";
  version.configuration = configuration.dump();
}

// A new version gives $LATEST a new revision too. Source: recorded.
void revise_latest(registry::FunctionRecord& record, const ServiceWorld& world) {
  auto latest = *record.latest;
  auto configuration = configuration_of(latest);
  configuration["RevisionId"] = world.new_uuid();
  latest.configuration = configuration.dump();
  record.latest = std::make_shared<const registry::FunctionVersion>(std::move(latest));
}

// The version that was published there before; nullptr: none, or none that is there still.
registry::SharedVersion former_version(const registry::FunctionRecord& record,
                                       PublishTerms::To to) {
  if (to == PublishTerms::To::latest_published) return record.latest_published;
  return record.version(std::to_string(record.last_published));
}

void put_version(registry::FunctionRecord& record, const registry::SharedVersion& version) {
  if (version->number == functions::kLatestPublished) {
    record.latest_published = version;
  } else {
    record.published.emplace(record.last_published, version);
  }
}

}  // namespace

PublishTerms::To publish_to(const Document& input) {
  return input.contains("PublishTo") ? PublishTerms::To::latest_published
                                     : PublishTerms::To::next_number;
}

tl::expected<Published, ServiceError> with_new_version(registry::FunctionRecord record,
                                                       const PublishTerms& terms,
                                                       const ServiceWorld& world) {
  auto configuration = configuration_of(*record.latest);
  if (auto checked = check(terms, configuration); !checked) {
    return tl::unexpected(std::move(checked.error()));
  }
  auto version = *record.latest;
  auto holds = freeze_code(version, configuration, world);
  if (!holds) return tl::unexpected(holds.error());
  const auto described = described_key(terms.to);
  if (const auto former = former_version(record, terms.to)) {
    const bool same_layers = former->code.layer_packages == version.code.layer_packages;
    if (same_layers && is_unchanged(record, described, configuration_of(*former), configuration)) {
      return Published{std::move(record), former, std::move(*holds), false};
    }
  }
  record.settings[described] = description_of(configuration);
  version.number = terms.to == PublishTerms::To::latest_published
                       ? std::string(functions::kLatestPublished)
                       : std::to_string(++record.last_published);
  if (terms.description && !terms.description->empty()) {
    configuration["Description"] = *terms.description;
  }
  name_version(record.name, world, version, configuration);
  auto published = std::make_shared<const registry::FunctionVersion>(std::move(version));
  put_version(record, published);
  revise_latest(record, world);
  return Published{std::move(record), std::move(published), std::move(*holds)};
}

registry::SharedVersion published_in_place(const registry::FunctionVersion& latest,
                                           const ServiceWorld& world) {
  auto version = latest;
  auto configuration = configuration_of(latest);
  version.number = functions::kLatestPublished;
  name_version(latest.function_name, world, version, configuration);
  return std::make_shared<const registry::FunctionVersion>(std::move(version));
}

}  // namespace emulator::control_plane
