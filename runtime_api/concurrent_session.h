// The rendezvous of one environment with a runtime that serves several invocations at once: the
// sibling of session.h for Managed Instances. Each parked call for an invocation is one that may
// run; an invocation's id alone says which one an answer is for.
//
// Nothing is queued: an invocation for which no call is parked is turned away. What a caller that
// hung up left parked is not given one. A timeout ends the one invocation, never the session.
#pragma once

#include "runtime_api/session.h"
#include "runtime_api/wire.h"

#include <tl/expected.hpp>

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace runtime_api {

// No call was parked for it; the runtime knows nothing of it.
struct NoIdlePoll {};
// An invocation of the same id is under way.
struct DuplicateId {};

using ConcurrentResult =
    std::variant<RuntimeAnswer, NoIdlePoll, DuplicateId, SessionEnded, DeadlinePassed>;

// Ids of invocations that timed out, whose answers are told so. Source: the emulator that AWS
// publishes, which keeps as many.
inline constexpr std::size_t kRememberedTimeouts = 1'000;

// Why an answer is not taken.
enum class AnswerRefusal : std::uint8_t {
  unknown_id,        // nor is one that was answered
  already_answered,  // another answer to it is arriving, or has come
  timed_out,         // told once for each id
};

// Any thread, everything.
class ConcurrentSession {
 public:
  using TimePoint = Session::TimePoint;

  // Called on the thread that serves the runtime's call, with no lock held, when it is about to be
  // given an invocation. It may not block.
  using Taken = std::function<void(const NextInvocation& invocation)>;
  // The same, when an answer to it begins to come.
  using Answering = std::function<void(const NextInvocation& invocation)>;

  explicit ConcurrentSession(Taken taken = {}, Answering answering = {})
      : taken_(std::move(taken)), answering_(std::move(answering)) {}
  ConcurrentSession(const ConcurrentSession&) = delete;
  ConcurrentSession& operator=(const ConcurrentSession&) = delete;
  ~ConcurrentSession() = default;

  // ---- The invoking side.

  // Blocks until the runtime first asks for an invocation or reports an init error.
  InitResult await_init(TimePoint deadline);

  // Hands one invocation to a parked call and blocks until it is answered. After a deadline its
  // stream is ended and a late answer refused; all else goes on.
  ConcurrentResult exchange(SharedInvocation invocation, TimePoint deadline);

  // ---- The runtime's side.

  // Blocks until there is an invocation for this call. `connected` is asked, without a lock, before
  // one is handed out; where the caller has gone, another parked call is given it.
  TakeResult take(const std::function<bool()>& connected);

  // Opens the one answer to `request_id`. After success exactly one complete_answer() with the same
  // id must follow.
  tl::expected<SharedInvocation, AnswerRefusal> begin_answer(std::string_view request_id);
  void complete_answer(std::string_view request_id, RuntimeAnswer answer);

  tl::expected<void, CallRefused> report_init_error(InitError error);

  // ---- Anybody.

  // As Session has them.
  void abandon();
  void end(Session::Arriving arriving = Session::Arriving::is_read);

  // Calls that wait for an invocation, less the invocations that are on their way to one.
  std::size_t idle_polls() const;
  std::size_t in_flight() const;

 private:
  enum class Stage : std::uint8_t { offered, refused, taken, answering };

  // Lives on the invoking thread's stack while it waits.
  struct Exchange {
    SharedInvocation invocation;
    Stage stage = Stage::offered;
    std::optional<RuntimeAnswer> answer;
    std::condition_variable changed;
  };

  // All with mutex_ held.
  void refuse_surplus();
  void remember_timeout(const std::string& request_id);
  ConcurrentResult leave(Exchange& mine);
  void wake_all();

  const Taken taken_;
  const Answering answering_;
  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable initialised_;
  std::condition_variable offered_;
  std::map<std::string, Exchange*, std::less<>> exchanges_;
  std::deque<Exchange*> offers_;  // not taken yet
  std::size_t parked_ = 0;
  std::set<std::string, std::less<>> timed_out_;
  std::deque<std::string> timed_out_order_;
  std::optional<InitError> init_error_;
  bool asked_ = false;  // the runtime has, once
  bool abandoned_ = false;
  bool ended_ = false;
};

}  // namespace runtime_api
