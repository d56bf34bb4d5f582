// A thread that looks at things when their time has come, for what the kernel does not do by
// itself. One thread serves all sandboxes.
#pragma once

#include "emulator/sandbox/unique_fd.h"

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace emulator::sandbox {

// What is looked at. Calls come on the watch's thread, one at a time.
class Watched {
 public:
  virtual ~Watched() = default;
  // Returns when to look again, by kernel_now(); nothing: not before it is woken.
  virtual std::optional<std::chrono::nanoseconds> look(std::chrono::nanoseconds now) = 0;
  // What epoll is to wait for besides, if anything; event() and a look follow.
  virtual int event_descriptor() const { return -1; }
  virtual std::uint32_t event_mask() const { return 0; }
  virtual void event() {}
};

// Threads: any, but for construction and destruction. look() may remove what it is called on, if it
// touches it no more.
class WatchThread {
 public:
  WatchThread();
  WatchThread(const WatchThread&) = delete;
  WatchThread& operator=(const WatchThread&) = delete;
  ~WatchThread();  // nothing may be watched any more

  // Not looked at before it is woken.
  void add(Watched& watched);
  // The next look is at this time, by kernel_now(); or, with nothing, not before it is woken.
  void wake(Watched& watched, std::optional<std::chrono::nanoseconds> at);
  // No call is under way, unless it is this one that removes, nor comes, once this returns.
  void remove(Watched& watched);

 private:
  using Due = std::optional<std::chrono::nanoseconds>;

  void run();
  void look_at_due();
  void handle_event(Watched* watched);
  void call(std::unique_lock<std::mutex>& lock, Watched* watched, bool event);
  void arm();
  void set_due(Watched* watched, Due at);  // if it is watched

  UniqueFd timer_;
  UniqueFd events_;
  std::mutex mutex_;
  std::condition_variable called_;
  std::map<Watched*, Due> due_;
  std::set<std::pair<std::chrono::nanoseconds, Watched*>>
      queue_;  // of those that are due some time
  Due armed_;
  Watched* under_call_ = nullptr;
  bool woken_under_call_ = false;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace emulator::sandbox
