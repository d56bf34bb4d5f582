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
  Places begun;
  Places ended;
  {
    const std::lock_guard lock(mutex_);
    const auto former = std::exchange(watched_[function_name], wanted);
    if (wanted.empty()) watched_.erase(function_name);
    for (const auto& place : wanted) {
      if (!former.contains(place) && ++users_[place] == 1) begun.insert(place);
    }
    for (const auto& place : former) {
      if (wanted.contains(place) || --users_[place] > 0) continue;
      users_.erase(place);
      ended.insert(place);
    }
  }
  for (const auto& place : begun) {
    if (auto watching = watch_.watch(place); !watching) {
      spdlog::warn("{}: changes of its code will not be noticed: {}",
                   function_name,
                   watching.error().message);
    }
  }
  for (const auto& place : ended) watch_.forget(place);
}

}  // namespace emulator::app
