// Which properties a function of a template may have, by its resource type.
//
// Pure; any thread. Source: SAM developer guide and CloudFormation reference.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace emulator::templates {

// Of AWS::Serverless::Function, or of AWS::Lambda::Function for any other type.
std::vector<std::string> known_properties(std::string_view type);

}  // namespace emulator::templates
