// All extensions of one launch of an environment: who they are, what they are told, and whether
// they are done with it. Here the thread that drives the environment meets the threads that serve
// the extensions' HTTP calls, as the session is for the runtime; neither calls into the other.
//
// An environment may serve again when its runtime and every extension that was told of the
// invocation have asked for what is next. The session tells of the runtime, the hub knows of the
// extensions, and so the hub is where the last of them is found.
#pragma once

#include "runtime_api/extension_event.h"
#include "runtime_api/extension_state.h"

#include <tl/expected.hpp>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace runtime_api {

// External and internal ones together. Source: Lambda quotas, and the emulator that AWS publishes.
inline constexpr std::size_t kMaxExtensions = 10;

// What an extension is told of the function when it registers.
struct FunctionIdentity {
  std::string name;
  std::string version;
  std::string handler;
  std::optional<std::string> account_id;
};

struct RegistrationRefused {
  enum class Reason { closed, name_taken, too_many, invalid_transition };
  Reason reason;
  ExtensionState from = ExtensionState::started;  // for invalid_transition
};

struct ExtensionRefused {
  enum class Reason { unknown_identifier, invalid_transition };
  Reason reason;
  ExtensionState from = ExtensionState::started;  // for invalid_transition
};

struct HubEnded {};
struct ExtensionGone {};  // who asked has hung up, or has asked anew on another connection

using TakeEventResult = std::variant<GivenEvent, ExtensionRefused, HubEnded, ExtensionGone>;

enum class ExtensionErrorPhase : std::uint8_t { init, exit };

// For those who tell of extensions.
struct ExtensionStatus {
  std::string name;
  ExtensionKind kind = ExtensionKind::external;
  // Of one that reported an error, that, also when it has ended since.
  ExtensionState state = ExtensionState::started;
  EventSubscription events;
  std::string error_type;  // that it reported; empty: it has not
};

// How many have registered, whatever became of them.
struct ExtensionCensus {
  std::size_t external = 0;
  std::size_t internal = 0;
};

// Any thread.
class ExtensionHub {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  // Whether the calls for extensions exist at all.
  enum class Service : std::uint8_t { on, off };

  struct Terms {
    FunctionIdentity function;
    std::vector<std::string> launched{};          // the names of the external ones
    std::function<std::string()> new_identifier;  // a UUID in lower case
    Service service = Service::on;
    bool offers_invoke = true;  // or SHUTDOWN alone
  };

  // Both are called on the thread that serves the call which caused them, with no lock held.
  struct Callbacks {
    // The runtime and all extensions have asked for what is next; once for each invocation, with
    // what was given to runtime_settled().
    std::function<void(std::string_view error_type)> settled;
    // An extension reported an error for the first time.
    std::function<void(const std::string& name, ExtensionErrorPhase phase)> reported;
  };

  ExtensionHub(Terms terms, Callbacks callbacks);
  ExtensionHub(const ExtensionHub&) = delete;
  ExtensionHub& operator=(const ExtensionHub&) = delete;
  ~ExtensionHub() = default;

  // ---- The extensions' side.

  Service service() const { return terms_.service; }
  bool offers_invoke() const { return terms_.offers_invoke; }
  const FunctionIdentity& function() const { return terms_.function; }

  // External where one of that name was launched, else internal.
  ExtensionKind kind_of(std::string_view name) const;

  // The identifier of the one that has registered now.
  tl::expected<std::string, RegistrationRefused> register_extension(const std::string& name,
                                                                    EventSubscription events);

  // Blocks until there is an event for the extension. `connected` tells whether the caller still
  // listens; it must not block, and is asked before an event is handed out and when another call
  // wants to take this one's place.
  TakeEventResult take(std::string_view identifier, const std::function<bool()>& connected);

  tl::expected<void, ExtensionRefused> report_error(std::string_view identifier,
                                                    ExtensionErrorPhase phase,
                                                    const std::string& error_type);

  std::optional<std::string> name_of(std::string_view identifier) const;

  // ---- The environment's side. The calls that block and give: one thread at a time.

  enum class Awaited : std::uint8_t { done, deadline_passed, ended };

  // Blocks until every launched extension has registered.
  Awaited await_registered(TimePoint deadline);

  // Nobody registers any more: the runtime has asked for its first event. Cheap when repeated.
  void close_registration();

  // Closes the registration and blocks until everyone who has registered has asked for an event.
  Awaited await_ready(TimePoint deadline);

  // Whether anybody subscribed to invocations. Cheap.
  bool tells_of_invocations() const { return tells_of_invocations_; }

  // An invocation is about to be offered to the runtime: nothing settles before those who
  // subscribed to invocations have been told of it and have asked again.
  void expect();

  // Tells those who are expected to hear of it. It may come when the runtime is done already.
  void give(const InvokeEvent& event);

  // The runtime has asked for the next invocation after answering one.
  void runtime_settled(std::string_view error_type);

  // Tells the external ones that subscribed to it and can still hear it. They may go on until the
  // event's deadline: their names. Whoever is not among them has nothing to wait for.
  std::vector<std::string> give(const ShutdownEvent& event);

  // Of an external one: process_ended, ended_by_force or launch_failed, and the last one's reason.
  void ended(std::string_view name, ExtensionCause how, std::string_view error_type = {});

  // The environment has failed, or is no longer wanted: the waits of its side end, nothing settles
  // any more, nobody registers. Extensions stay parked until they are told of it.
  void abandon();

  // Every wait ends, every later call is refused.
  void end();

  ExtensionCensus census() const;
  std::vector<ExtensionStatus> extensions() const;  // in order of launch, then of registration
  std::size_t waiting_takers() const;

 private:
  struct Extension {
    std::string name;
    ExtensionKind kind = ExtensionKind::external;
    ExtensionState state = ExtensionState::started;
    std::optional<ExtensionState> reported{};  // the error that it reported
    EventSubscription events;
    std::string identifier;
    std::string error_type;
    bool asked = false;  // for an event, ever
    bool owes = false;   // was told of the invocation and has not asked since
    std::optional<GivenEvent> pending;
    std::uint64_t poll = 0;                            // the latest call of take()
    const std::function<bool()>* connected = nullptr;  // of that call, while it lasts
    std::condition_variable given;
  };

  // With mutex_ held.
  Extension* find_by_name(std::string_view name) const;
  Extension* find_by_identifier(std::string_view identifier) const;
  static bool is_abandoned(const Extension& extension);
  TakeEventResult wait_for_event(std::unique_lock<std::mutex>& lock,
                                 Extension& extension,
                                 std::uint64_t poll);
  void tell_if_settled(std::unique_lock<std::mutex>& lock);
  template <class Done>
  Awaited await(TimePoint deadline, Done done);

  const Terms terms_;
  const Callbacks callbacks_;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> tells_of_invocations_ = false;  // somebody subscribed to them

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable progressed_;
  std::vector<std::unique_ptr<Extension>> extensions_;
  std::size_t owed_ = 0;  // extensions that owe
  bool runtime_settled_ = false;
  std::string error_type_;
  std::size_t waiting_takers_ = 0;
  bool abandoned_ = false;
  bool ended_ = false;
};

}  // namespace runtime_api
