// The Parameters section and the values users give on the command line → one value a parameter.
//
// Values only; any thread.
#pragma once

#include "emulator/template/document.h"

#include <tl/expected.hpp>

#include <functional>
#include <map>
#include <optional>
#include <string>

namespace emulator::templates {

using ParameterOverrides = std::map<std::string, std::string>;

struct Parameter {
  // Text, or a list of text for the list types. nullopt: neither Default nor override.
  std::optional<Node> value;
  // Without a value: the sentence that says how to give one.
  std::string missing;
};

using Parameters = std::map<std::string, Parameter, std::less<>>;

// Checks Type, AllowedValues, MinLength, MaxLength, MinValue and MaxValue; AllowedPattern is not
// checked. A parameter without a value is no error until something needs it. An override for a
// parameter that the template does not declare is an error. Values of the
// AWS::SSM::Parameter::Value types live in an account, so they need an override.
tl::expected<Parameters, TemplateError> read_parameters(const Node& root,
                                                        const ParameterOverrides& overrides);

}  // namespace emulator::templates
