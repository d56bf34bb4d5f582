#include "emulator/template/sam_template.h"

#include "emulator/template/closest_name.h"
#include "emulator/template/function_reader.h"

#include <algorithm>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <system_error>
#include <utility>

namespace emulator::templates {
namespace {

using References = std::map<std::string, std::set<std::string>>;

constexpr std::string_view kTransform = "AWS::Serverless-2016-10-31";

tl::unexpected<TemplateError> refuse(const Node& node, std::string message) {
  return tl::unexpected(error_at(node, std::move(message)));
}

std::string type_of(const Node& resource) {
  const auto* type = resource.find("Type");
  return type && type->is(NodeKind::scalar) ? type->text : "";
}

bool has_sam_transform(const Node& root) {
  const auto* transform = root.find("Transform");
  if (!transform) return false;
  if (transform->text == kTransform) return true;
  return std::any_of(transform->items.begin(), transform->items.end(), [](const Node& item) {
    return item.text == kTransform;
  });
}

// Globals.Function, checked; null when there is none.
tl::expected<const Node*, TemplateError> find_globals(const Node& root, Reading& reading) {
  const auto* globals = root.find("Globals");
  const auto* shared = globals ? globals->find("Function") : nullptr;
  if (!shared || shared->is(NodeKind::null)) return nullptr;
  if (!shared->is(NodeKind::map)) {
    return refuse(*shared,
                  "Globals.Function must be a map of properties, and here it is " +
                      std::string(shared->kind_name()));
  }
  warn_of_unknown_properties(reading, "AWS::Serverless::Function", "Globals.Function", *shared);
  return shared;
}

// AWS creates resources in the order of their references, so there may be no circle of them.
std::optional<TemplateError> find_circle(const References& references, const Node& resources) {
  std::set<std::string> done;
  std::vector<std::string> open;
  std::optional<std::string> again;
  const std::function<bool(const std::string&)> visit = [&](const std::string& name) {
    if (std::find(open.begin(), open.end(), name) != open.end()) {
      again = name;
      return true;
    }
    const auto found = references.find(name);
    if (found == references.end() || !done.insert(name).second) return false;
    open.push_back(name);
    for (const auto& next : found->second) {
      if (visit(next)) return true;
    }
    open.pop_back();
    return false;
  };
  for (const auto& [name, targets] : references) {
    if (!visit(name)) continue;
    std::string circle;
    for (auto at = std::find(open.begin(), open.end(), *again); at != open.end(); ++at) {
      circle += at->substr(0, 100) + " -> ";
    }
    return error_at(*resources.find(*again),
                    "functions refer to each other in a circle (" + circle + again->substr(0, 100) +
                        "), which CloudFormation cannot create; write one name out instead of "
                        "using Ref, GetAtt or Sub");
  }
  return std::nullopt;
}

std::optional<TemplateError> find_shared_name(const Project& project, const Node& resources) {
  std::map<std::string, std::string> owners;
  for (const auto& function : project.functions) {
    const auto& name = function.configuration.name;
    const auto [owner, is_new] = owners.emplace(name, function.logical_id);
    if (is_new) continue;
    return error_at(*resources.find(function.logical_id),
                    "functions " + owner->second.substr(0, 100) + " and " +
                        function.logical_id.substr(0, 100) + " are both named " + name +
                        "; give one another FunctionName");
  }
  return std::nullopt;
}

tl::expected<const Node*, TemplateError> find_resources(const Node& root) {
  if (!root.is(NodeKind::map)) {
    return refuse(root,
                  "a template is a map with a Resources section, and this is " +
                      std::string(root.kind_name()));
  }
  const auto* resources = root.find("Resources");
  if (!resources || !resources->is(NodeKind::map)) {
    return refuse(resources ? *resources : root,
                  "the template has no Resources; declare at least one AWS::Serverless::Function "
                  "there");
  }
  if (resources->members.size() > kMaxResources) {
    return refuse(*resources,
                  "the template has " + std::to_string(resources->members.size()) +
                      " resources; CloudFormation takes at most 500, so split it");
  }
  return resources;
}

tl::expected<void, TemplateError> read_functions(Reading& reading,
                                                 const Node& root,
                                                 Project& project) {
  References references;
  bool serverless = false;
  for (const auto& member : reading.resources.members) {
    const auto& [logical_id, position, resource] = member;
    if (logical_id.starts_with("Fn::ForEach::")) {
      reading.warnings.push_back(where(reading, position) + logical_id.substr(0, 100) +
                                 " is not expanded, so functions declared in it are missing");
    }
    const auto type = type_of(resource);
    if (!is_function_type(type)) continue;
    const auto is_there = exists(reading.intrinsics, resource);
    if (!is_there) return tl::unexpected(is_there.error());
    if (!*is_there) continue;
    serverless = serverless || type == "AWS::Serverless::Function";
    auto function = FunctionReader(reading, member).read();
    if (!function) return tl::unexpected(std::move(function.error()));
    references[logical_id] = reading.intrinsics.take_references();
    project.functions.push_back(std::move(*function));
  }
  if (serverless && !has_sam_transform(root)) {
    reading.warnings.push_back(where(reading, root.position) +
                               "the line 'Transform: " + std::string(kTransform) +
                               "' is missing; CloudFormation refuses the template without it");
  }
  if (auto failure = find_circle(references, reading.resources)) {
    return tl::unexpected(std::move(*failure));
  }
  if (auto failure = find_shared_name(project, reading.resources)) {
    return tl::unexpected(std::move(*failure));
  }
  if (!project.functions.empty()) return {};
  return refuse(reading.resources,
                "the template declares no function; add a resource of Type "
                "AWS::Serverless::Function or AWS::Lambda::Function, and check that its Condition "
                "holds");
}

tl::expected<Project, TemplateError> read_text(std::string_view text,
                                               const std::filesystem::path& folder,
                                               const std::filesystem::path& file,
                                               const ParameterOverrides& overrides,
                                               const Deployment& deployment) {
  const auto root = parse_document(text, guess_format(text));
  if (!root) return tl::unexpected(root.error());
  const auto resources = find_resources(*root);
  if (!resources) return tl::unexpected(resources.error());
  auto parameters = read_parameters(*root, overrides);
  if (!parameters) return tl::unexpected(std::move(parameters.error()));
  Intrinsics intrinsics(*root, std::move(*parameters), deployment);
  Project project;
  Reading reading{intrinsics, **resources, nullptr, folder, file.string(), project.warnings};
  const auto globals = find_globals(*root, reading);
  if (!globals) return tl::unexpected(globals.error());
  reading.globals = *globals;
  if (auto read = read_functions(reading, *root, project); !read) {
    return tl::unexpected(std::move(read.error()));
  }
  return project;
}

tl::expected<std::string, TemplateError> read_file(const std::filesystem::path& file) {
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return tl::unexpected(TemplateError{
        "there is no such template; name one with --template FILE", {}, {}, file.string()});
  }
  std::ifstream stream(file, std::ios::binary);
  std::string text(kMaxTemplateBytes + 1, '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(stream.gcount()));
  if (std::filesystem::is_directory(file, error) || !stream.is_open() || stream.bad()) {
    return tl::unexpected(
        TemplateError{"the template cannot be read; name a readable file", {}, {}, file.string()});
  }
  return text;
}

}  // namespace

tl::expected<Project, TemplateError> read_project(
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& parameters,
    const Deployment& deployment) {
  const auto text = read_file(file);
  if (!text) return tl::unexpected(text.error());
  return read_project_text(*text, file.parent_path(), file, parameters, deployment);
}

tl::expected<Project, TemplateError> read_project_text(
    std::string_view text,
    const std::filesystem::path& folder,
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& parameters,
    const Deployment& deployment) {
  auto project = read_text(text, folder, file, parameters, deployment);
  if (!project) project.error().file = file.string();
  return project;
}

tl::expected<const FunctionDeclaration*, TemplateError> find_function(const Project& project,
                                                                      std::string_view name) {
  const auto& functions = project.functions;
  if (name.empty() && functions.size() == 1) return &functions.front();
  for (const auto& function : functions) {
    if (function.logical_id == name) return &function;
  }
  for (const auto& function : functions) {
    if (function.configuration.name == name) return &function;
  }
  std::vector<std::string> names;
  std::string listed;
  for (const auto& function : functions) {
    names.push_back(function.logical_id);
    if (function.configuration.name != function.logical_id) {
      names.push_back(function.configuration.name);
    }
    if (listed.size() < 400) listed += (listed.empty() ? "" : ", ") + function.logical_id;
  }
  const auto complaint =
      name.empty() ? std::string("the template declares several functions; name one")
                   : "the template declares no function '" + std::string(name.substr(0, 100)) +
                         "'" + did_you_mean(name, names);
  return tl::unexpected(TemplateError{complaint + "; there is " + listed, {}, {}, {}});
}

}  // namespace emulator::templates
