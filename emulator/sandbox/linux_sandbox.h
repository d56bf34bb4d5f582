// The Launcher of this host: an own process group, resource limits, a pidfd, and only the
// descriptors that were listed.
#pragma once

#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/sandbox.h"

#include <condition_variable>
#include <deque>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace emulator::sandbox {

// Any thread. Must outlive the sandboxes it made: the kernel ends a child when the thread that made
// it ends, so all children are made by one thread that lives as long as this object.
class LinuxLauncher final : public Launcher {
 public:
  LinuxLauncher();
  LinuxLauncher(const LinuxLauncher&) = delete;
  LinuxLauncher& operator=(const LinuxLauncher&) = delete;
  ~LinuxLauncher() override;

  tl::expected<std::unique_ptr<Sandbox>, SandboxError> launch(
      const LaunchRequest& request) override;

  // Removes the folder even if Hearth is killed; see Guardian.
  void remove_at_end(const std::filesystem::path& folder) const {
    guardian_.remove_at_end(std::filesystem::absolute(folder));
  }

 private:
  void serve();

  const Guardian guardian_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable arrived_;
  std::deque<std::function<void()>> waiting_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace emulator::sandbox
