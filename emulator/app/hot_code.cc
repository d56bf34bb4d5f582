#include "emulator/app/hot_code.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

namespace emulator::app {

bool runs_from(const registry::FunctionVersion& version, const std::filesystem::path& place) {
  const auto& layers = version.code.layers;
  return version.code.folder == place ||
         std::find(layers.begin(), layers.end(), place) != layers.end();
}

void HotCode::follow(const std::string& function_name, const registry::FunctionRecord* record) {
  Places wanted;
  if (record != nullptr) {
    const auto& code = record->latest->code;
    if (!code.folder.empty()) wanted.insert(code.folder);
    wanted.insert(code.layers.begin(), code.layers.end());
  }
  Places former;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watched_.find(function_name);
    if (found != watched_.end()) former = std::exchange(found->second, wanted);
    if (found == watched_.end() && !wanted.empty()) watched_[function_name] = wanted;
    if (found != watched_.end() && wanted.empty()) watched_.erase(found);
  }
  for (const auto& place : wanted) {
    if (former.contains(place)) continue;
    if (auto watching = watch_.watch(place); !watching) {
      spdlog::warn("{}: changes of its code will not be noticed: {}",
                   function_name,
                   watching.error().message);
    }
  }
  for (const auto& place : former) {
    if (!wanted.contains(place)) watch_.forget(place);
  }
}

}  // namespace emulator::app
