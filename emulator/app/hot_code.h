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
  using Find = std::function<registry::SharedFunction(const std::string& function_name)>;

  // `find` says what a function is now; nullptr: it is gone. `changed` is called on the watch's
  // thread when something in the folder has changed.
  HotCode(Find find, functions::CodeWatch::Changed changed);

  // Watches what the function's $LATEST runs from now, and nothing else of it. A folder that cannot
  // be watched is told in Hearth's own log.
  void follow(const std::string& function_name);

 private:
  using Places = std::set<std::filesystem::path>;

  const Find find_;
  // One function is followed at a time, so that the last word is the newest and no watch overtakes
  // another. Held over the watch, whose callback takes none of ours. Guards what follows.
  std::mutex following_;
  std::map<std::string, Places> watched_;               // by function
  std::map<std::filesystem::path, std::size_t> users_;  // functions that run from a place
  functions::CodeWatch watch_;
};

}  // namespace emulator::app
