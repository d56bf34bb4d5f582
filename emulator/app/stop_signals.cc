#include "emulator/app/stop_signals.h"

#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <utility>

namespace emulator::app {
namespace {

sigset_t stop_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  ::sigaddset(&set, SIGINT);
  ::sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

void block_stop_signals() {
  const auto set = stop_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client or a pipe that goes away is an error value, not a signal.
  ::signal(SIGPIPE, SIG_IGN);
}

StopSignals::StopSignals(std::function<void()> stop)
    : wake_(::eventfd(0, EFD_CLOEXEC)), thread_([this, stop = std::move(stop)] { serve(stop); }) {}

StopSignals::~StopSignals() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_, &one, sizeof(one));
  thread_.join();
  ::close(wake_);
}

void StopSignals::wait() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return signalled_; });
}

void StopSignals::serve(const std::function<void()>& stop) {
  const auto set = stop_signals();
  const int signals = ::signalfd(-1, &set, SFD_CLOEXEC);
  std::thread stopping;
  while (true) {
    std::array<pollfd, 2> wait{{{signals, POLLIN, 0}, {wake_, POLLIN, 0}}};
    if (::poll(wait.data(), wait.size(), -1) < 0) continue;
    if ((wait[1].revents & POLLIN) != 0) break;
    signalfd_siginfo info{};
    if (::read(signals, &info, sizeof(info)) != sizeof(info)) continue;
    const int number = static_cast<int>(info.ssi_signo);
    if (stopping.joinable()) ::_exit(128 + number);
    {
      const std::lock_guard lock(mutex_);
      signalled_ = true;
    }
    changed_.notify_all();
    stopping = std::thread([&stop] {
      if (stop) stop();
    });
  }
  if (stopping.joinable()) stopping.join();
  ::close(signals);
}

}  // namespace emulator::app
