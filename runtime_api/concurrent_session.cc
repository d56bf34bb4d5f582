#include "runtime_api/concurrent_session.h"

#include <algorithm>
#include <utility>

namespace runtime_api {

InitResult ConcurrentSession::await_init(TimePoint deadline) {
  std::unique_lock lock(mutex_);
  const bool decided = initialised_.wait_until(
      lock, deadline, [this] { return abandoned_ || asked_ || init_error_; });
  if (init_error_) return *init_error_;
  if (abandoned_) return SessionEnded{};
  if (!decided) return DeadlinePassed{};
  return RuntimeReady{};
}

ConcurrentResult ConcurrentSession::exchange(SharedInvocation invocation, TimePoint deadline) {
  Exchange mine;
  mine.invocation = std::move(invocation);
  const auto& id = mine.invocation->request_id;
  std::unique_lock lock(mutex_);
  if (abandoned_) return SessionEnded{.taken = false};
  if (exchanges_.contains(id)) return DuplicateId{};
  if (offers_.size() >= parked_) return NoIdlePoll{};
  exchanges_.emplace(id, &mine);
  offers_.push_back(&mine);
  offered_.notify_one();
  // An answer that arrives while the runtime ends is read to its end first.
  const bool decided = mine.changed.wait_until(lock, deadline, [&] {
    return mine.answer || mine.stage == Stage::refused ||
           (abandoned_ && mine.stage != Stage::answering);
  });
  if (!decided && mine.stage != Stage::offered) remember_timeout(id);
  auto result = leave(mine);
  const bool ended_early = mine.stage != Stage::offered && !mine.answer;
  lock.unlock();
  // Whoever reads the runtime's body may wait for room in it.
  if (ended_early && mine.invocation->stream) mine.invocation->stream->end();
  if (!decided) return DeadlinePassed{};
  return result;
}

ConcurrentResult ConcurrentSession::leave(Exchange& mine) {
  exchanges_.erase(mine.invocation->request_id);
  offers_.erase(std::remove(offers_.begin(), offers_.end(), &mine), offers_.end());
  if (mine.answer) return std::move(*mine.answer);
  if (mine.stage == Stage::refused) return NoIdlePoll{};
  return SessionEnded{.taken = mine.stage != Stage::offered};
}

void ConcurrentSession::remember_timeout(const std::string& request_id) {
  if (!timed_out_.insert(request_id).second) return;
  timed_out_order_.push_back(request_id);
  if (timed_out_order_.size() <= kRememberedTimeouts) return;
  timed_out_.erase(timed_out_order_.front());
  timed_out_order_.pop_front();
}

// Of callers that hung up, nothing is left for as many invocations.
void ConcurrentSession::refuse_surplus() {
  while (offers_.size() > parked_) {
    auto* const last = offers_.back();
    offers_.pop_back();
    last->stage = Stage::refused;
    last->changed.notify_all();
  }
}

TakeResult ConcurrentSession::take(const std::function<bool()>& connected) {
  std::unique_lock lock(mutex_);
  if (ended_) return SessionEnded{};
  if (init_error_) {
    return CallRefused{CallRefused::Reason::invalid_transition, RuntimeState::init_error};
  }
  ++parked_;
  if (!std::exchange(asked_, true)) initialised_.notify_all();
  for (;;) {
    offered_.wait(lock, [this] { return ended_ || !offers_.empty(); });
    if (ended_) break;
    lock.unlock();
    const bool listening = connected();
    lock.lock();
    if (!listening) {
      --parked_;
      refuse_surplus();
      offered_.notify_one();
      return ClientGone{};
    }
    if (ended_ || !offers_.empty()) break;
  }
  --parked_;
  if (ended_) return SessionEnded{};
  auto* const given = offers_.front();
  offers_.pop_front();
  given->stage = Stage::taken;
  auto invocation = given->invocation;
  lock.unlock();
  if (taken_) taken_(*invocation);
  return invocation;
}

tl::expected<SharedInvocation, AnswerRefusal> ConcurrentSession::begin_answer(
    std::string_view request_id) {
  std::unique_lock lock(mutex_);
  const auto found = exchanges_.find(request_id);
  // An id that is still on its way to the runtime is one that it cannot know.
  if (ended_ || found == exchanges_.end() || found->second->stage == Stage::offered ||
      found->second->stage == Stage::refused) {
    const auto late = timed_out_.find(request_id);
    if (late == timed_out_.end()) return tl::unexpected(AnswerRefusal::unknown_id);
    timed_out_order_.erase(std::remove(timed_out_order_.begin(), timed_out_order_.end(), *late),
                           timed_out_order_.end());
    timed_out_.erase(late);
    return tl::unexpected(AnswerRefusal::timed_out);
  }
  if (found->second->stage == Stage::answering) {
    return tl::unexpected(AnswerRefusal::already_answered);
  }
  found->second->stage = Stage::answering;
  auto invocation = found->second->invocation;
  lock.unlock();
  if (answering_) answering_(*invocation);
  return invocation;
}

void ConcurrentSession::complete_answer(std::string_view request_id, RuntimeAnswer answer) {
  const std::lock_guard lock(mutex_);
  const auto found = exchanges_.find(request_id);
  // It has timed out while its answer arrived.
  if (found == exchanges_.end() || found->second->answer) return;
  found->second->answer = std::move(answer);
  found->second->changed.notify_all();
}

tl::expected<void, CallRefused> ConcurrentSession::report_init_error(InitError error) {
  const std::lock_guard lock(mutex_);
  if (ended_ || asked_ || init_error_) {
    const auto from = init_error_ ? RuntimeState::init_error : RuntimeState::ready;
    return tl::unexpected(CallRefused{CallRefused::Reason::invalid_transition, from});
  }
  init_error_ = std::move(error);
  initialised_.notify_all();
  return {};
}

void ConcurrentSession::wake_all() {
  initialised_.notify_all();
  offered_.notify_all();
  for (const auto& [_, exchange] : exchanges_) exchange->changed.notify_all();
}

void ConcurrentSession::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  wake_all();
}

void ConcurrentSession::end(Session::Arriving arriving) {
  std::deque<SharedInvocation> cut;
  {
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    ended_ = true;
    wake_all();
    if (arriving == Session::Arriving::is_cut) {
      for (const auto& [_, exchange] : exchanges_) cut.push_back(exchange->invocation);
    }
  }
  for (const auto& invocation : cut) {
    if (invocation->stream) invocation->stream->end();
  }
}

std::size_t ConcurrentSession::idle_polls() const {
  const std::lock_guard lock(mutex_);
  return abandoned_ ? 0 : parked_ - std::min(parked_, offers_.size());
}

std::size_t ConcurrentSession::in_flight() const {
  const std::lock_guard lock(mutex_);
  return exchanges_.size();
}

}  // namespace runtime_api
