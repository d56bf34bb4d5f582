// What the parts of the intrinsics share; for their sources alone.
#pragma once

#include "emulator/template/intrinsics.h"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace emulator::templates::intrinsic {

inline tl::unexpected<TemplateError> refuse(const Node& node, std::string message) {
  return tl::unexpected(error_at(node, std::move(message)));
}

// Users write the same name everywhere; a sentence shows at most this much of a hostile one.
inline std::string shown(std::string_view name) { return std::string(name.substr(0, 100)); }

// "A -> B -> A"
std::string circle(const std::vector<std::string>& open, const std::string& again);

inline bool is_condition_function(std::string_view name) {
  return name == "Fn::Equals" || name == "Fn::And" || name == "Fn::Or" || name == "Fn::Not" ||
         name == "Condition";
}

struct DepthGuard {
  explicit DepthGuard(int& depth_in) : depth(depth_in) { ++depth; }
  ~DepthGuard() { --depth; }
  DepthGuard(const DepthGuard&) = delete;
  DepthGuard& operator=(const DepthGuard&) = delete;
  DepthGuard(DepthGuard&&) = delete;
  DepthGuard& operator=(DepthGuard&&) = delete;
  int& depth;
};

}  // namespace emulator::templates::intrinsic
