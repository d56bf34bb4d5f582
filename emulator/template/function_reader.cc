#include "emulator/template/function_reader.h"

#include "emulator/template/closest_name.h"
#include "emulator/template/function_properties.h"
#include "emulator/template/globals.h"
#include "emulator/template/local_content.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <utility>

namespace emulator::templates {
namespace {

// Source: the public service model.
constexpr std::array<std::string_view, 2> kLogFormats = {"Text", "JSON"};
constexpr std::array<std::string_view, 6> kApplicationLevels = {
    "TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
constexpr std::array<std::string_view, 3> kSystemLevels = {"DEBUG", "INFO", "WARN"};

std::string shown(std::string_view text) { return std::string(text.substr(0, 100)); }

std::string resource_type(const Node& resource) {
  const auto* type = resource.find("Type");
  return type ? type->text : "";
}

}  // namespace

tl::expected<bool, TemplateError> exists(Intrinsics& intrinsics, const Node& resource) {
  const auto* condition = resource.find("Condition");
  if (!condition || !condition->is(NodeKind::scalar)) return true;
  return intrinsics.condition(condition->text, resource);
}

std::string where(const Reading& reading, Position position) {
  return reading.file + ":" + std::to_string(position.line) + ": ";
}

void warn_of_unknown_properties(Reading& reading,
                                std::string_view type,
                                std::string_view subject,
                                const Node& properties) {
  const auto known = known_properties(type);
  for (const auto& member : properties.members) {
    if (std::find(known.begin(), known.end(), member.key) != known.end()) continue;
    reading.warnings.push_back(where(reading, member.position) + std::string(subject) +
                               " has the unknown property " + shown(member.key) +
                               did_you_mean(member.key, known) + ", which is ignored");
  }
}

FunctionReader::FunctionReader(Reading& reading, const Member& resource)
    : reading_(reading),
      logical_id_(resource.key),
      resource_(resource.value),
      position_(resource.position) {}

bool FunctionReader::is_serverless() const {
  return resource_type(resource_) == "AWS::Serverless::Function";
}

tl::expected<FunctionDeclaration, TemplateError> FunctionReader::read() {
  properties_ = scalar_like(resource_, {});
  properties_.kind = NodeKind::map;
  if (const auto* properties = resource_.find("Properties")) {
    if (!properties->is(NodeKind::map)) {
      return tl::unexpected(error_at(
          *properties,
          "Properties must be a map, and here it is " + std::string(properties->kind_name())));
    }
    properties_ = *properties;
  }
  warn_of_unknown_properties(
      reading_, resource_type(resource_), "function " + shown(logical_id_), properties_);
  if (is_serverless() && reading_.globals) {
    properties_ = merge_globals(*reading_.globals, properties_);
  }
  result_.logical_id = logical_id_;
  result_.location = {reading_.file, position_.line, position_.column};
  for (const auto step : {&FunctionReader::read_names,
                          &FunctionReader::read_package,
                          &FunctionReader::read_sizes,
                          &FunctionReader::read_tracing,
                          &FunctionReader::read_tenancy,
                          &FunctionReader::read_snap_start,
                          &FunctionReader::read_managed_instances,
                          &FunctionReader::read_managed_scaling,
                          &FunctionReader::read_logging,
                          &FunctionReader::read_architecture,
                          &FunctionReader::read_variables,
                          &FunctionReader::read_layers}) {
    if (auto failure = (this->*step)()) return tl::unexpected(std::move(*failure));
  }
  if (const auto valid = functions::validate(result_.configuration); !valid) {
    return tl::unexpected(
        error_at(resource_, "function " + shown(logical_id_) + ": " + valid.error().message));
  }
  return std::move(result_);
}

tl::expected<std::optional<Node>, TemplateError> FunctionReader::property(std::string_view name) {
  const auto* written = properties_.find(name);
  if (!written) return std::nullopt;
  auto value = reading_.intrinsics.resolve(*written);
  if (!value) return tl::unexpected(std::move(value.error()));
  if (value->is(NodeKind::absent)) return std::nullopt;
  return std::optional(std::move(*value));
}

FunctionReader::Failure FunctionReader::take_text(std::string_view name, std::string& into) {
  auto value = property(name);
  if (!value) return std::move(value.error());
  if (!*value) return std::nullopt;
  if (!(*value)->is(NodeKind::scalar)) {
    return error_at(
        **value,
        std::string(name) + " must be text, and here it is " + std::string((*value)->kind_name()));
  }
  into = std::move((*value)->text);
  return std::nullopt;
}

FunctionReader::Failure FunctionReader::number_in(const Node& node,
                                                  std::string_view unit,
                                                  std::int64_t& into) {
  std::int64_t number = 0;
  const auto* end = node.text.data() + node.text.size();
  const auto parsed = std::from_chars(node.text.data(), end, number);
  // No setting has more than six digits; the bound keeps later arithmetic on it from overflowing.
  if (node.is(NodeKind::scalar) && parsed.ec == std::errc{} && parsed.ptr == end &&
      node.text.size() <= 9) {
    into = number;
    return std::nullopt;
  }
  return error_at(node,
                  "a whole number of " + std::string(unit) + " is wanted here, and this is " +
                      (node.is(NodeKind::scalar) ? "'" + shown(node.text) + "'"
                                                 : std::string(node.kind_name())));
}

FunctionReader::Failure FunctionReader::take_number(std::string_view name,
                                                    std::string_view unit,
                                                    std::int64_t& into) {
  const auto value = property(name);
  if (!value) return value.error();
  return *value ? number_in(**value, unit, into) : std::nullopt;
}

FunctionReader::Failure FunctionReader::read_names() {
  auto& configuration = result_.configuration;
  const auto identity = reading_.intrinsics.identity(logical_id_, resource_);
  if (!identity) return identity.error();
  configuration.name = physical_name(*identity, reading_.intrinsics.deployment());
  // Naming itself is no reference; what follows is.
  reading_.intrinsics.take_references();
  std::string package_type = "Zip";
  if (auto failure = take_text("PackageType", package_type)) return failure;
  if (package_type == "Image" || properties_.find("ImageUri")) {
    return error_at(resource_,
                    "function " + shown(logical_id_) +
                        " is a container image, which is not run from a template; "
                        "use PackageType: Zip with a folder or .zip file, or run the "
                        "image itself with `hearth rie` inside it");
  }
  configuration.runtime.clear();
  if (auto failure = take_text("Runtime", configuration.runtime)) return failure;
  if (auto failure = take_text("Handler", configuration.handler)) return failure;
  const auto missing = configuration.runtime.empty()   ? "Runtime"
                       : configuration.handler.empty() ? "Handler"
                                                       : nullptr;
  if (!missing) return std::nullopt;
  return error_at(resource_,
                  "function " + shown(logical_id_) + " has no " + missing +
                      "; Lambda wants one for code in a folder or .zip file" +
                      (is_serverless() ? ", here or in Globals.Function" : ""));
}

FunctionReader::Failure FunctionReader::read_inline(const Node& code) {
  const auto& runtime = result_.configuration.runtime;
  std::string file_name;
  if (runtime.starts_with("python")) file_name = "index.py";
  if (runtime.starts_with("nodejs")) file_name = "index.js";
  if (file_name.empty()) {
    return error_at(code,
                    "code can be written into a template for the python and nodejs runtimes "
                    "only, and this function has " +
                        shown(runtime) + "; put the code into a folder and name that");
  }
  if (!code.is(NodeKind::scalar)) {
    return error_at(code,
                    "inline code must be text, and here it is " + std::string(code.kind_name()));
  }
  result_.inline_code = InlineCode{std::move(file_name), code.text};
  return std::nullopt;
}

FunctionReader::Failure FunctionReader::read_package() {
  const std::string name = is_serverless() ? "CodeUri" : "Code";
  if (is_serverless()) {
    const auto inline_code = property("InlineCode");
    if (!inline_code) return inline_code.error();
    if (*inline_code) return read_inline(**inline_code);
  }
  const bool is_asset = has_asset_path(resource_);
  // An asset's S3 place is often computed from exports; the local folder makes it unimportant.
  const auto code =
      is_asset ? tl::expected<std::optional<Node>, TemplateError>(resource_) : property(name);
  if (!code) return code.error();
  if (!*code) {
    return error_at(resource_,
                    "function " + shown(logical_id_) + " has no " + name +
                        "; name the folder or .zip file with its code, relative to "
                        "the template");
  }
  if ((*code)->is(NodeKind::map) && (*code)->find("ZipFile")) {
    return read_inline(*(*code)->find("ZipFile"));
  }
  auto path = local_content(**code, resource_, reading_.folder);
  if (!path) return std::move(path.error());
  result_.configuration.code = std::move(*path);
  return std::nullopt;
}

FunctionReader::Failure FunctionReader::read_sizes() {
  auto& configuration = result_.configuration;
  std::int64_t seconds = configuration.timeout.count();
  if (auto failure = take_number("MemorySize", "MB", configuration.memory.mebibytes))
    return failure;
  if (auto failure = take_number("Timeout", "seconds", seconds)) return failure;
  configuration.timeout = std::chrono::seconds{seconds};
  const auto storage = property("EphemeralStorage");
  if (!storage) return storage.error();
  if (!*storage) return std::nullopt;
  const auto* size = (*storage)->find("Size");
  if (!size) {
    return error_at(**storage,
                    "EphemeralStorage has no Size; write EphemeralStorage: {Size: 1024}");
  }
  return number_in(*size, "MB", configuration.ephemeral_storage.mebibytes);
}

FunctionReader::Failure FunctionReader::read_tracing() {
  std::string mode = "PassThrough";
  if (is_serverless()) {
    if (auto failure = take_text("Tracing", mode)) return failure;
  } else {
    const auto tracing = property("TracingConfig");
    if (!tracing) return tracing.error();
    const auto* written = *tracing ? (*tracing)->find("Mode") : nullptr;
    if (written) mode = written->text;
  }
  if (mode == "Active") result_.configuration.tracing = functions::Tracing::active;
  if (mode == "Active" || mode == "PassThrough" || (is_serverless() && mode == "Disabled")) {
    return std::nullopt;
  }
  return error_at(resource_,
                  "function " + shown(logical_id_) + " has the tracing mode '" + shown(mode) +
                      "'; choose Active or PassThrough");
}

FunctionReader::Failure FunctionReader::read_logging() {
  const auto logging = property("LoggingConfig");
  if (!logging) return logging.error();
  if (!*logging) return std::nullopt;
  if (!(*logging)->is(NodeKind::map)) {
    return error_at(**logging,
                    "LoggingConfig is a map, and here it is " +
                        std::string((*logging)->kind_name()) +
                        "; write LoggingConfig: {LogFormat: JSON}");
  }
  auto& to = result_.configuration.logging;
  std::string format = to.format == functions::LogFormat::json ? "JSON" : "Text";
  if (auto failure = take_word(**logging, "LogFormat", kLogFormats, format)) return failure;
  to.format = format == "JSON" ? functions::LogFormat::json : functions::LogFormat::text;
  if (auto failure =
          take_word(**logging, "ApplicationLogLevel", kApplicationLevels, to.application_level)) {
    return failure;
  }
  return take_word(**logging, "SystemLogLevel", kSystemLevels, to.system_level);
}

FunctionReader::Failure FunctionReader::take_word(const Node& map,
                                                  std::string_view name,
                                                  std::span<const std::string_view> words,
                                                  std::string& into) {
  const auto* written = map.find(name);
  if (!written || written->is(NodeKind::absent)) return std::nullopt;
  if (std::find(words.begin(), words.end(), written->text) != words.end()) {
    into = written->text;
    return std::nullopt;
  }
  std::string known;
  for (const auto word : words) known.append(known.empty() ? "" : ", ").append(word);
  return error_at(
      *written, std::string(name) + " is one of " + known + ", not '" + shown(written->text) + "'");
}

FunctionReader::Failure FunctionReader::read_architecture() {
  const auto list = property("Architectures");
  if (!list) return list.error();
  if (!*list) return std::nullopt;
  if ((*list)->items.size() == 1) {
    const auto& name = (*list)->items.front().text;
    if (name == "arm64") result_.architecture = Architecture::arm64;
    if (name == "arm64" || name == "x86_64") return std::nullopt;
  }
  return error_at(**list, "Architectures is a list with one item, x86_64 or arm64");
}

FunctionReader::Failure FunctionReader::read_variables() {
  const auto environment = property("Environment");
  if (!environment) return environment.error();
  if (!*environment) return std::nullopt;
  const auto* variables = (*environment)->find("Variables");
  if (!(*environment)->is(NodeKind::map) || (variables && !variables->is(NodeKind::map))) {
    return error_at(**environment,
                    "Environment is a map with a map in it; write "
                    "Environment: {Variables: {NAME: value}}");
  }
  if (!variables) return std::nullopt;
  for (const auto& [name, position, value] : variables->members) {
    if (!value.is(NodeKind::scalar)) {
      return error_at(value,
                      "environment variable " + shown(name) + " must be text, and here it is " +
                          std::string(value.kind_name()) + "; write it in quotes");
    }
    if (value.text.find("{{resolve:") != std::string::npos) {
      reading_.warnings.push_back(where(reading_, value.position) + "function " +
                                  shown(logical_id_) + " gets variable " + shown(name) +
                                  " as it is written: {{resolve:...}} needs an account");
    }
    result_.configuration.variables[name] = value.text;
  }
  return std::nullopt;
}

FunctionReader::Failure FunctionReader::read_layers() {
  const auto layers = property("Layers");
  if (!layers) return layers.error();
  if (!*layers) return std::nullopt;
  if (!(*layers)->is(NodeKind::list)) {
    return error_at(**layers,
                    "Layers is a list of layer versions, and here it is " +
                        std::string((*layers)->kind_name()));
  }
  for (const auto& layer : (*layers)->items) {
    if (auto failure = read_layer(layer)) return failure;
  }
  return std::nullopt;
}

FunctionReader::Failure FunctionReader::read_layer(const Node& layer) {
  if (!layer.is(NodeKind::scalar)) {
    return error_at(
        layer,
        "a layer is named by !Ref or by its ARN, and here it is " + std::string(layer.kind_name()));
  }
  auto content = layer_content(layer.text);
  if (!content) return std::move(content.error());
  if (*content) {
    result_.configuration.layers.push_back(std::move(**content));
    return std::nullopt;
  }
  if (!layer.text.starts_with("arn:")) {
    return error_at(layer,
                    "'" + shown(layer.text) +
                        "' is not a layer version; declare an AWS::Serverless::LayerVersion "
                        "with a local ContentUri and name it with !Ref");
  }
  reading_.warnings.push_back(
      where(reading_, layer.position) + "function " + shown(logical_id_) + " runs without layer " +
      shown(layer.text) +
      ", which is not on this machine; download it, declare an AWS::Serverless::LayerVersion with "
      "its folder or .zip file as ContentUri and name that with !Ref");
  return std::nullopt;
}

tl::expected<std::optional<std::filesystem::path>, TemplateError> FunctionReader::layer_content(
    const std::string& arn) {
  auto& intrinsics = reading_.intrinsics;
  for (const auto& [logical_id, position, resource] : reading_.resources.members) {
    const auto type = resource_type(resource);
    if (!is_layer_type(type)) continue;
    const auto references = intrinsics.take_references();
    const auto identity = intrinsics.identity(logical_id, resource);
    intrinsics.restore_references(references);
    // A layer that does not exist, or whose name cannot be worked out, is not the one asked for.
    if (!identity || reference_value(*identity, intrinsics.deployment()) != arn) continue;
    const auto* properties = resource.find("Properties");
    const std::string name = type == "AWS::Serverless::LayerVersion" ? "ContentUri" : "Content";
    const auto* written = properties ? properties->find(name) : nullptr;
    if (!written) {
      return tl::unexpected(error_at(resource,
                                     "layer " + shown(logical_id) + " has no " + name +
                                         "; name its folder or .zip file, relative to "
                                         "the template"));
    }
    const auto content =
        has_asset_path(resource) ? Intrinsics::Resolved(*written) : intrinsics.resolve(*written);
    if (!content) return tl::unexpected(content.error());
    auto path = local_content(*content, resource, reading_.folder);
    if (!path) return tl::unexpected(std::move(path.error()));
    return std::optional(std::move(*path));
  }
  return std::nullopt;
}

}  // namespace emulator::templates
