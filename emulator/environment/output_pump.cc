#include "emulator/environment/output_pump.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

namespace emulator::environment {
namespace {

constexpr std::uint64_t kStop = 0;
constexpr int kEventsPerTurn = 64;

}  // namespace

OutputPump::OutputPump()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)), wake_(::eventfd(0, EFD_CLOEXEC)) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kStop;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wake_.get(), &event);
  thread_ = std::thread([this] { serve(); });
}

OutputPump::~OutputPump() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof(one));
  thread_.join();
}

OutputPump::WatchId OutputPump::watch(int descriptor, Readable readable) {
  const std::lock_guard lock(mutex_);
  const auto id = ++last_id_;
  watches_.emplace(id, std::make_shared<Watch>(Watch{descriptor, std::move(readable)}));
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = id;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, descriptor, &event) != 0) {
    const int error = errno;
    watches_.erase(id);
    throw std::system_error(error, std::generic_category(), "watching a descriptor");
  }
  return WatchId{id};
}

void OutputPump::unwatch(WatchId id) {
  const auto number = static_cast<std::uint64_t>(id);
  std::unique_lock lock(mutex_);
  forget(number);
  if (std::this_thread::get_id() == thread_.get_id()) return;
  returned_.wait(lock, [this, number] { return running_ != number; });
}

void OutputPump::forget(std::uint64_t id) {
  const auto found = watches_.find(id);
  if (found == watches_.end()) return;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, found->second->descriptor, nullptr);
  watches_.erase(found);
}

void OutputPump::dispatch(std::uint64_t id) {
  std::shared_ptr<Watch> watch;
  {
    const std::lock_guard lock(mutex_);
    const auto found = watches_.find(id);
    if (found == watches_.end()) return;
    watch = found->second;
    running_ = id;
  }
  const auto keep = watch->readable();
  // What the callback holds may be waited for below, so it goes first.
  watch.reset();
  {
    const std::lock_guard lock(mutex_);
    if (keep == Keep::no_more) forget(id);
    running_ = 0;
  }
  returned_.notify_all();
}

void OutputPump::serve() {
  std::array<epoll_event, kEventsPerTurn> events{};
  while (true) {
    const int count = ::epoll_wait(epoll_.get(), events.data(), kEventsPerTurn, -1);
    for (int i = 0; i < count; ++i) {
      const auto id = events[static_cast<std::size_t>(i)].data.u64;
      if (id == kStop) return;
      dispatch(id);
    }
  }
}

}  // namespace emulator::environment
