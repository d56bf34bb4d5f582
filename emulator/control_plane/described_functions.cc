#include "emulator/control_plane/described_functions.h"

#include "emulator/control_plane/code_input.h"
#include "emulator/control_plane/function_configuration.h"

#include <nlohmann/json.hpp>

namespace emulator::control_plane {
namespace {

Document configuration_of(const functions::FunctionConfiguration& described,
                          const ServiceWorld& world) {
  auto configuration = default_configuration(described.name, world);
  configuration["Runtime"] = described.runtime;
  configuration["Handler"] = described.handler;
  configuration["MemorySize"] = described.memory.mebibytes;
  configuration["Timeout"] = described.timeout.count();
  configuration["EphemeralStorage"] = {{"Size", described.ephemeral_storage.mebibytes}};
  configuration["TracingConfig"] = {
      {"Mode", described.tracing == functions::Tracing::active ? "Active" : "PassThrough"}};
  // A role is mandatory in the API and nothing to Hearth.
  configuration["Role"] = "arn:aws:iam::" + world.account + ":role/hearth";
  if (!described.variables.empty()) {
    configuration["Environment"] = {{"Variables", described.variables}};
  }
  return configuration;
}

}  // namespace

tl::expected<void, registry::RegistryError> put_described(
    const functions::FunctionConfiguration& described, ServiceWorld& world) {
  auto configuration = configuration_of(described, world);
  auto code = folder_as_code(described.code);
  configuration["CodeSha256"] = code.sha256_base64;
  touch(world, configuration);
  registry::FunctionVersion latest;
  latest.function_name = described.name;
  latest.code = std::move(code.source);
  latest.code.command = described.command;
  latest.code.layers = described.layers;
  latest.configuration = configuration.dump();

  const auto base = world.registry.find(described.name);
  auto record = base ? *base : registry::FunctionRecord{};
  record.name = described.name;
  record.latest = std::make_shared<const registry::FunctionVersion>(std::move(latest));
  const auto kept = base ? world.registry.replace(base, std::move(record))
                         : world.registry.create(std::move(record));
  if (!kept) return tl::unexpected(kept.error());
  return {};
}

}  // namespace emulator::control_plane
