#include "runtime_api/session.h"

#include <utility>

namespace runtime_api {

bool Session::answer_is_arriving() const {
  return state_ == RuntimeState::invocation_response ||
         state_ == RuntimeState::invocation_error_response;
}

InitResult Session::await_init(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  const bool decided = initialised_.wait_until(
      lock, deadline, [this] { return abandoned_ || state_ != RuntimeState::started; });
  if (init_error_) return *init_error_;
  if (abandoned_) return SessionEnded{};
  if (!decided) return DeadlinePassed{};
  return RuntimeReady{};
}

RestoreResult Session::restore(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  if (const auto to = next_state(state_, RuntimeCause::restored)) state_ = *to;
  offered_.notify_all();
  const bool decided = initialised_.wait_until(
      lock, deadline, [this] { return abandoned_ || state_ != RuntimeState::restoring; });
  if (restore_error_) return *restore_error_;
  if (abandoned_) return SessionEnded{.taken = restore_taken_};
  if (!decided) return DeadlinePassed{};
  return RuntimeReady{};
}

ExchangeResult Session::exchange(SharedInvocation invocation,
                                 TimePoint deadline,
                                 const std::function<void()>& offered) {
  Exchange mine;
  std::unique_lock lock(mutex_);
  if (abandoned_) return SessionEnded{.taken = false};
  exchange_ = &mine;
  current_invocation_ = invocation;
  offered_invocation_ = std::move(invocation);
  lock.unlock();
  offered_.notify_one();
  if (offered) offered();
  lock.lock();
  // A process may end right after it has sent its answer. What has begun to arrive is read to its
  // end before the end of the session counts.
  const bool decided = answered_.wait_until(
      lock, deadline, [&] { return mine.answer || (abandoned_ && !answer_is_arriving()); });
  if (mine.answer) return std::move(*mine.answer);
  exchange_ = nullptr;
  const bool taken = std::exchange(offered_invocation_, nullptr) == nullptr;
  if (!abandoned_) {
    abandoned_ = true;
    ended_ = true;
    offered_.notify_all();
  }
  const auto stream = taken ? current_invocation_->stream : nullptr;
  lock.unlock();
  // Whoever reads the runtime's body may wait for room in it.
  if (stream) stream->end();
  if (!decided) return DeadlinePassed{};
  return SessionEnded{.taken = taken};
}

TakeResult Session::take(const std::function<bool()>& connected) {
  std::unique_lock lock(mutex_);
  if (ended_) return SessionEnded{};
  const auto to = next_state(state_, RuntimeCause::next_called);
  if (!to) return CallRefused{CallRefused::Reason::invalid_transition, state_};
  if (*to == RuntimeState::running) return current_invocation_;

  const auto from = std::exchange(state_, *to);
  if (from == RuntimeState::started || from == RuntimeState::restoring) initialised_.notify_all();
  if (from == RuntimeState::response_sent) {
    const auto error_type = std::exchange(last_error_type_, {});
    lock.unlock();
    settled_(error_type);
    lock.lock();
  }

  ++waiting_takers_;
  do {
    offered_.wait(lock, [this] { return ended_ || offered_invocation_; });
    if (ended_) break;
    // A caller that hung up must not swallow the invocation: another one may wait for it, or the
    // process has ended and a new one will be given it.
    lock.unlock();
    const bool listening = connected();
    lock.lock();
    if (!listening) {
      --waiting_takers_;
      offered_.notify_one();
      return ClientGone{};
    }
  } while (!ended_ && !offered_invocation_);
  --waiting_takers_;
  if (ended_) return SessionEnded{};
  state_ = RuntimeState::running;
  return std::exchange(offered_invocation_, nullptr);
}

TakeRestoreResult Session::take_restore(const std::function<bool()>& connected) {
  std::unique_lock lock(mutex_);
  if (ended_) return SessionEnded{};
  const auto to = next_state(state_, RuntimeCause::restore_next_called);
  if (!to) return CallRefused{CallRefused::Reason::invalid_transition, state_};
  state_ = *to;
  initialised_.notify_all();
  offered_.wait(lock, [this] { return ended_ || state_ != RuntimeState::restore_ready; });
  if (ended_) return SessionEnded{};
  lock.unlock();
  const bool listening = connected();
  lock.lock();
  if (!listening) return ClientGone{};
  restore_taken_ = true;
  return Restored{};
}

tl::expected<SharedInvocation, CallRefused> Session::begin_answer(std::string_view request_id,
                                                                  AnswerKind kind) {
  std::unique_lock lock(mutex_);
  if (ended_ || !current_invocation_ || current_invocation_->request_id != request_id) {
    ++late_answers_;
    return tl::unexpected(CallRefused{CallRefused::Reason::invalid_request_id});
  }
  const auto to = next_state(
      state_,
      kind == AnswerKind::response ? RuntimeCause::response_begun : RuntimeCause::error_begun);
  if (!to) {
    return tl::unexpected(CallRefused{CallRefused::Reason::invalid_transition, state_});
  }
  state_ = *to;
  auto current = current_invocation_;
  lock.unlock();
  if (steps_.begun) steps_.begun();
  return current;
}

void Session::complete_answer(RuntimeAnswer answer) {
  if (steps_.complete) steps_.complete(answer);
  std::unique_lock lock(mutex_);
  const auto to = next_state(state_, RuntimeCause::answer_complete);
  if (!to) return;
  state_ = *to;
  // A runtime whose answer broke off is not given another invocation. So nobody finds it settled
  // while the invoking side still looks at what became of it.
  if (answer.kind == RuntimeAnswer::Kind::truncated) {
    abandoned_ = true;
    ended_ = true;
    offered_.notify_all();
  }
  last_error_type_ = answer.error_type;
  if (exchange_ == nullptr) {
    ++late_answers_;
    return;
  }
  // From here on the session is free for the next exchange, which may well begin before the thread
  // of this one wakes up.
  auto* const answered = std::exchange(exchange_, nullptr);
  answered->answer = std::move(answer);
  // Without the lock, or whoever wakes would wait again at once; that is so at every notification
  // on the way of an invocation.
  lock.unlock();
  answered_.notify_all();
}

void Session::refuse_answer() {
  const std::lock_guard lock(mutex_);
  if (const auto to = next_state(state_, RuntimeCause::answer_refused)) state_ = *to;
  answered_.notify_all();
}

tl::expected<void, CallRefused> Session::report_init_error(InitError error) {
  const std::lock_guard lock(mutex_);
  const auto to = next_state(state_, RuntimeCause::init_error_reported);
  if (!to || ended_) {
    return tl::unexpected(CallRefused{CallRefused::Reason::invalid_transition, state_});
  }
  state_ = *to;
  if (*to == RuntimeState::restore_error) {
    restore_error_ = RestoreError{std::move(error.error_type), std::move(error.body)};
  } else {
    init_error_ = std::move(error);
  }
  initialised_.notify_all();
  return {};
}

tl::expected<void, CallRefused> Session::report_restore_error(RestoreError error) {
  const std::lock_guard lock(mutex_);
  const auto to = next_state(state_, RuntimeCause::restore_error_reported);
  if (!to || ended_) {
    return tl::unexpected(CallRefused{CallRefused::Reason::invalid_transition, state_});
  }
  state_ = *to;
  restore_error_ = std::move(error);
  initialised_.notify_all();
  return {};
}

void Session::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  initialised_.notify_all();
  answered_.notify_all();
}

void Session::end(Arriving arriving) {
  std::unique_lock lock(mutex_);
  abandoned_ = true;
  ended_ = true;
  initialised_.notify_all();
  offered_.notify_all();
  answered_.notify_all();
  const auto current = arriving == Arriving::is_cut ? current_invocation_ : nullptr;
  lock.unlock();
  if (current && current->stream) current->stream->end();
}

RuntimeState Session::state() const {
  const std::lock_guard lock(mutex_);
  return state_;
}

std::uint64_t Session::waiting_takers() const {
  const std::lock_guard lock(mutex_);
  return waiting_takers_;
}

std::uint64_t Session::late_answers() const {
  const std::lock_guard lock(mutex_);
  return late_answers_;
}

}  // namespace runtime_api
