// lambda_model.json as shapes and operations.
//
// Pure; any thread.
#pragma once

#include "emulator/control_plane/model_shape.h"
#include "emulator/control_plane/service_model.h"

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::control_plane {

// The operations point to the shapes.
struct ServiceModel {
  std::map<std::string, ModelShape, std::less<>> shapes;
  std::vector<ModelOperation> operations;  // by name
};

// The text is this program's own: what is wrong with it is a defect, and throws.
ServiceModel read_model(std::string_view text);

}  // namespace emulator::control_plane
