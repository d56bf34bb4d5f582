#include "emulator/invoke/streamed_invocation.h"

#include <condition_variable>
#include <mutex>
#include <system_error>
#include <utility>

namespace emulator::invoke {
namespace {

Refusal no_thread(const std::system_error& error) {
  return {.kind = Refusal::Kind::concurrency_exceeded,
          .message = std::string("cannot start a thread for a streamed response: ") + error.what() +
                     "; raise the limit of threads, or stream fewer responses at a time"};
}

}  // namespace

StreamedInvocation::StreamedInvocation(StreamPace pace)
    : pace_(pace),
      stream_(std::make_shared<runtime_api::ResponseStream>()),
      ended_(tl::unexpect, Refusal{Refusal::Kind::shutting_down, "the invocation has not run"}) {
  if (pace_.clock) bucket_.emplace(pace_.bandwidth, pace_.clock->monotonic_now());
}

tl::expected<std::unique_ptr<StreamedInvocation>, Refusal> StreamedInvocation::start(
    Invoke invoke, InvocationRequest request, StreamPace pace) {
  std::unique_ptr<StreamedInvocation> streamed(new StreamedInvocation(pace));
  auto& self = *streamed;
  request.stream = self.stream_;
  request.version_chosen = [&self](std::string_view version) { self.executed_version_ = version; };
  try {
    self.invoking_ =
        std::jthread([&self, invoke = std::move(invoke), request = std::move(request)]() mutable {
          try {
            self.ended_ = invoke(std::move(request));
          } catch (...) {
            self.defect_ = std::current_exception();
          }
          self.stream_->end();
        });
  } catch (const std::system_error& error) {
    return tl::unexpected(no_thread(error));
  }
  return streamed;
}

StreamedInvocation::~StreamedInvocation() {
  if (!invoking_.joinable()) return;
  while (next()) {
  }
}

std::optional<StreamedInvocation::Begun> StreamedInvocation::await_begin() {
  auto content_type = stream_->await_begin();
  if (!content_type) return std::nullopt;
  return Begun{std::move(*content_type), executed_version_};
}

std::optional<std::string_view> StreamedInvocation::next() {
  if (!stream_->read(piece_)) return std::nullopt;
  if (bucket_) wait_until(bucket_->take(piece_.size(), pace_.clock->monotonic_now()));
  return piece_;
}

void StreamedInvocation::wait_until(time::TimerQueue::TimePoint moment) const {
  if (moment <= pace_.clock->monotonic_now()) return;
  std::mutex mutex;
  std::condition_variable due;
  bool passed = false;
  pace_.timers->schedule(moment, [&] {
    // Notified with the lock, because all of it is gone as soon as the waiting thread has it.
    const std::lock_guard lock(mutex);
    passed = true;
    due.notify_one();
  });
  std::unique_lock lock(mutex);
  due.wait(lock, [&] { return passed; });
}

StreamedInvocation::Ended StreamedInvocation::end() {
  invoking_.join();
  if (defect_) std::rethrow_exception(defect_);
  return std::move(ended_);
}

}  // namespace emulator::invoke
