// CPU quota without a CPU controller: processes are stopped once they have used what a period
// grants, and go on with the next period.
//
// What they used is asked of the kernel, so that waiting costs nothing and several threads count
// each. What they used too much, since nobody stops them at the exact moment, is taken from the
// periods that follow: over some periods, the share is exact.
//
// Processes that ended between two looks had their last moments for free. A parent that waits for
// stopped children (WUNTRACED) sees them stop.
#pragma once

#include "emulator/sandbox/resource_control.h"
#include "emulator/sandbox/stop_switch.h"
#include "emulator/sandbox/watch_thread.h"

#include <sys/types.h>

#include <chrono>
#include <map>
#include <mutex>
#include <optional>

namespace emulator::sandbox {

// The arithmetic of it. A value.
class CpuBudget {
 public:
  using Time = std::chrono::nanoseconds;

  CpuBudget(Time quota, Time period, Time now)
      : quota_(quota), period_(period), credit_(quota), ends_(now + period) {}

  void use(Time used) { credit_ -= used; }
  // Grants what the periods that ended by now give. Credit that was not used does not add up; debt
  // stays.
  void advance(Time now);
  bool spent() const { return credit_ <= Time::zero(); }
  Time period_end() const { return ends_; }
  // When one thread could have used up the rest, but not long after the period's end.
  Time next_look(Time now) const;

 private:
  Time quota_;
  Time period_;
  Time credit_;
  Time ends_;
};

// CPU time of the processes of a set, asked anew each time.
// Threads: its owner's.
class CpuMeter {
 public:
  explicit CpuMeter(const ProcessSet& members) : members_(members) {}
  // Finds new processes, and forgets those that are gone.
  void find_processes();
  // Over all processes, since the first call.
  std::chrono::nanoseconds read();

 private:
  const ProcessSet& members_;
  std::map<pid_t, std::chrono::nanoseconds> seen_;
  std::chrono::nanoseconds total_{};
};

// Threads: any.
class CpuSchedule final : public Watched {
 public:
  // All of them outlive the object.
  CpuSchedule(WatchThread& thread, ProcessSet& members, StopSwitch& stop);
  ~CpuSchedule() override;
  CpuSchedule(const CpuSchedule&) = delete;
  CpuSchedule& operator=(const CpuSchedule&) = delete;

  void set_quota(std::optional<std::chrono::microseconds> quota);
  // While the processes are frozen there is nothing to look at.
  void pause();
  void resume();

  std::chrono::nanoseconds throttled();
  std::chrono::nanoseconds cpu_time();

  std::optional<std::chrono::nanoseconds> look(std::chrono::nanoseconds now) override;

 private:
  using Time = std::chrono::nanoseconds;

  void measure();
  void release(Time now);

  WatchThread& thread_;
  StopSwitch& stop_;

  std::mutex mutex_;
  CpuMeter meter_;
  Time measured_{};
  std::optional<CpuBudget> budget_;
  std::optional<Time> stopped_since_;
  Time throttled_{};
  bool paused_ = false;
};

}  // namespace emulator::sandbox
