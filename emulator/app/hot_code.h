// Which functions run from folders of the developer's, and the watch over these folders.
#pragma once

#include "emulator/functions/code_watch.h"
#include "emulator/registry/function_record.h"

#include <filesystem>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>

namespace emulator::app {

// Whether a version runs from that folder or .zip file.
bool runs_from(const registry::FunctionVersion& version, const std::filesystem::path& place);

// Any thread.
class HotCode {
 public:
  // `changed` is called on the watch's thread when something in the folder has changed.
  explicit HotCode(functions::CodeWatch::Changed changed) : watch_(std::move(changed)) {}

  // Watches what the function's $LATEST runs from, and nothing else of it; nullptr: nothing. A
  // folder that cannot be watched is told in Hearth's own log.
  void follow(const std::string& function_name, const registry::FunctionRecord* record);

 private:
  using Places = std::set<std::filesystem::path>;

  std::mutex mutex_;                                    // guards what follows
  std::map<std::string, Places> watched_;               // by function
  std::map<std::filesystem::path, std::size_t> users_;  // functions that run from a place
  functions::CodeWatch watch_;  // has its own lock, and its callback takes none of ours
};

}  // namespace emulator::app
