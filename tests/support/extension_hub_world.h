// A hub of extensions with everything that it called back kept for questions, and the threads of
// parked calls.
#pragma once

#include "runtime_api/extension_hub.h"

#include <atomic>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

namespace tests {

// 00000000-0000-4000-8000-000000000001 and so on.
inline std::string numbered_uuid(int number) {
  const auto digits = std::to_string(number);
  return "00000000-0000-4000-8000-" + std::string(12 - digits.size(), '0') + digits;
}

class ExtensionHubWorld {
  std::atomic<int> identifiers_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> settled_;
  std::vector<std::string> reported_;

 public:
  explicit ExtensionHubWorld(
      std::vector<std::string> launched = {},
      runtime_api::ExtensionHub::Service service = runtime_api::ExtensionHub::Service::on)
      : hub({.function = {.name = "f",
                          .version = "$LATEST",
                          .handler = "app.handler",
                          .account_id = "123456789012"},
             .launched = std::move(launched),
             .new_identifier = [this] { return numbered_uuid(++identifiers_); },
             .service = service},
            {.settled =
                 [this](std::string_view type) {
                   const std::lock_guard lock(mutex_);
                   settled_.emplace_back(type);
                 },
             .reported =
                 [this](const std::string& name, runtime_api::ExtensionErrorPhase phase) {
                   const std::lock_guard lock(mutex_);
                   const bool init = phase == runtime_api::ExtensionErrorPhase::init;
                   reported_.push_back(name + (init ? " init" : " exit"));
                 }}) {}

  // What settled, by its error type, and who reported what.
  std::vector<std::string> settled() const {
    const std::lock_guard lock(mutex_);
    return settled_;
  }
  std::vector<std::string> reported() const {
    const std::lock_guard lock(mutex_);
    return reported_;
  }

  runtime_api::ExtensionHub hub;
};

}  // namespace tests
