// A SAM or CloudFormation template → the functions it declares.
//
// Read: AWS::Serverless::Function, AWS::Lambda::Function, AWS::Serverless::LayerVersion and
// AWS::Lambda::LayerVersion, with Globals.Function, Parameters, Mappings and Conditions. A resource
// whose Condition is false does not exist. Everything else in the template is passed over, and so
// is what cannot be worked out there; in a function's own properties it is an error. A layer that
// is named by the ARN of somebody's published layer is left out with a warning.
//
// Functions only; any thread.
#pragma once

#include "emulator/template/deployment.h"
#include "emulator/template/project.h"
#include "emulator/template/template_error.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <map>
#include <string>
#include <string_view>

namespace emulator::templates {

// CloudFormation takes at most 500 resources in a template. Source: CloudFormation quotas.
inline constexpr std::size_t kMaxResources = 500;

// Reads a template file. `parameters` are values for the template's Parameters, by name. Of the
// file system only the template itself is looked at.
tl::expected<Project, TemplateError> read_project(
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& parameters,
    const Deployment& deployment = {});

// The same for text that is already in memory. Relative paths start at `folder`; `file` is only
// the name that sentences use.
tl::expected<Project, TemplateError> read_project_text(
    std::string_view text,
    const std::filesystem::path& folder,
    const std::filesystem::path& file,
    const std::map<std::string, std::string>& parameters,
    const Deployment& deployment = {});

// The function with this logical id, else with this FunctionName; with an empty name, the only one
// there is. The error lists what there is. The pointer is into `project`.
tl::expected<const FunctionDeclaration*, TemplateError> find_function(const Project& project,
                                                                      std::string_view name);

}  // namespace emulator::templates
