// The rendezvous of one execution environment with its runtime: the one place where the thread that
// invokes meets the thread that serves the runtime's HTTP calls. Neither calls into the other.
//
// A session lives as long as the processes it belongs to: after a reset the environment makes a new
// one. The first thing that ends an invocation wins (answer, deadline, end of the session); what
// comes later is refused, and counted.
#pragma once

#include "runtime_api/session_state.h"
#include "runtime_api/wire.h"

#include <tl/expected.hpp>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

namespace runtime_api {

struct RuntimeReady {};
struct SessionEnded {
  // Whether the runtime was given the invocation of an exchange, or told of a restore.
  bool taken = false;
};
struct DeadlinePassed {};

using InitResult = std::variant<RuntimeReady, InitError, SessionEnded, DeadlinePassed>;
// What a runtime reported with /runtime/restore/error, or with /runtime/init/error instead.
struct RestoreError {
  std::string error_type;  // filtered
  std::string body;
};
using RestoreResult = std::variant<RuntimeReady, RestoreError, SessionEnded, DeadlinePassed>;
using ExchangeResult = std::variant<RuntimeAnswer, SessionEnded, DeadlinePassed>;

// An invocation is shared with the thread that writes it to the runtime, which a slow reader can
// keep busy beyond the invocation's end.
using SharedInvocation = std::shared_ptr<const NextInvocation>;

// A call that the state or the id does not allow.
struct CallRefused {
  enum class Reason { invalid_request_id, invalid_transition };
  Reason reason;
  RuntimeState from = RuntimeState::started;  // for invalid_transition
};

struct ClientGone {};

using TakeResult = std::variant<SharedInvocation, CallRefused, SessionEnded, ClientGone>;

struct Restored {};
using TakeRestoreResult = std::variant<Restored, CallRefused, SessionEnded, ClientGone>;

enum class AnswerKind { response, error };

class Session {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Called when the runtime asks for the next invocation after it answered one, on the thread that
  // serves that call and with no lock held; `error_type` is empty after a plain response.
  using Settled = std::function<void(std::string_view error_type)>;

  // Called on the thread that serves the answer, with no lock held: when its head has come, and
  // when all of it has, before anybody is told. Neither may block.
  struct AnswerSteps {
    std::function<void()> begun;
    std::function<void(const RuntimeAnswer& answer)> complete;
  };

  explicit Session(Settled settled, AnswerSteps steps = {})
      : settled_(std::move(settled)), steps_(std::move(steps)) {}
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session() = default;

  // ---- The invoking side. One thread at a time, until its exchange is answered.

  // Blocks until the runtime first asks for an invocation, asks to be restored, or reports an init
  // error.
  InitResult await_init(TimePoint deadline);

  // Tells a runtime that asked for it that it is restored, and blocks until it asks for its first
  // invocation. At once for a runtime that has asked for that already. Once, after await_init().
  RestoreResult restore(TimePoint deadline);

  // Hands over one invocation and blocks until it is answered. After anything but a whole answer
  // the session is ended, and the invocation's stream too if the runtime was given it. `offered` is
  // called once the runtime may take the invocation, with no lock held: what need not be done
  // before does not keep the runtime waiting.
  ExchangeResult exchange(SharedInvocation invocation,
                          TimePoint deadline,
                          const std::function<void()>& offered = {});

  // ---- The runtime's side. Any thread.

  // Blocks until there is an invocation to hand out. `connected` tells whether the caller still
  // listens; it is asked, without a lock, before an invocation is handed out.
  TakeResult take(const std::function<bool()>& connected);

  // Blocks until the runtime is restored; see take() for `connected`.
  TakeRestoreResult take_restore(const std::function<bool()>& connected);

  // Opens an answer to `request_id`, which is the invocation's that is returned; the id is checked
  // before the state. After success exactly one of complete_answer() and refuse_answer() must
  // follow.
  tl::expected<SharedInvocation, CallRefused> begin_answer(std::string_view request_id,
                                                           AnswerKind kind);
  void complete_answer(RuntimeAnswer answer);
  void refuse_answer();

  tl::expected<void, CallRefused> report_init_error(InitError error);
  tl::expected<void, CallRefused> report_restore_error(RestoreError error);

  // ---- Anybody.

  // The environment has failed, or is no longer wanted: the invoking side's waits end, and later
  // ones do at once. What the runtime has parked stays parked until end().
  void abandon();
  // What becomes of an answer that is arriving when the session ends: a process may end right
  // after it has sent all of it; nobody waits for one that is killed.
  enum class Arriving { is_read, is_cut };

  // The processes are gone or about to be: every wait ends, every later call is refused.
  void end(Arriving arriving = Arriving::is_read);

  RuntimeState state() const;

  // Calls that are parked until there is an invocation.
  std::uint64_t waiting_takers() const;

  // Answers that came after their invocation had ended.
  std::uint64_t late_answers() const;

 private:
  struct Exchange {
    std::optional<RuntimeAnswer> answer;
  };

  bool answer_is_arriving() const;

  const Settled settled_;
  const AnswerSteps steps_;
  mutable std::mutex mutex_;             // guards everything below
  std::condition_variable initialised_;  // and restored
  std::condition_variable offered_;
  // Also wakes the thread of an exchange that is over and has not left yet; it knows its own.
  std::condition_variable answered_;
  RuntimeState state_ = RuntimeState::started;
  bool abandoned_ = false;
  bool ended_ = false;
  std::optional<InitError> init_error_;
  std::optional<RestoreError> restore_error_;
  bool restore_taken_ = false;
  SharedInvocation offered_invocation_;  // not taken yet
  SharedInvocation current_invocation_;  // the last one given or offered
  Exchange* exchange_ = nullptr;         // lives on the invoking thread's stack while it waits
  std::string last_error_type_;
  std::uint64_t waiting_takers_ = 0;
  std::uint64_t late_answers_ = 0;
};

}  // namespace runtime_api
