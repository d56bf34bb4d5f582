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

HotCode::HotCode(Find find, functions::CodeWatch::Changed changed)
    : find_(std::move(find)),
      watch_(std::move(changed), [](const functions::CodePackageError& error) {
        spdlog::warn("not all changes of code will be noticed: {}", error.message);
      }) {}

void HotCode::follow(const std::string& function_name) {
  const std::lock_guard one_at_a_time(following_);
  Places wanted;
  if (const auto function = find_(function_name)) {
    const auto& code = function->latest->code;
    if (!code.folder.empty()) wanted.insert(code.folder);
    wanted.insert(code.layers.begin(), code.layers.end());
  }
  const auto former = std::exchange(watched_[function_name], wanted);
  if (wanted.empty()) watched_.erase(function_name);
  for (const auto& place : wanted) {
    if (former.contains(place) || ++users_[place] > 1) continue;
    if (auto watching = watch_.watch(place); !watching) {
      spdlog::warn("{}: changes of its code will not be noticed: {}",
                   function_name,
                   watching.error().message);
    }
  }
  for (const auto& place : former) {
    if (wanted.contains(place) || --users_[place] > 0) continue;
    users_.erase(place);
    watch_.forget(place);
  }
}

}  // namespace emulator::app
