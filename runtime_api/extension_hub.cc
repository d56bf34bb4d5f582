#include "runtime_api/extension_hub.h"

#include <algorithm>
#include <utility>

namespace runtime_api {

using S = ExtensionState;

ExtensionHub::ExtensionHub(Terms terms, Callbacks callbacks)
    : terms_(std::move(terms)), callbacks_(std::move(callbacks)) {
  for (const auto& name : terms_.launched) {
    auto extension = std::make_unique<Extension>();
    extension->name = name;
    extensions_.push_back(std::move(extension));
  }
}

ExtensionHub::Extension* ExtensionHub::find_by_name(std::string_view name) const {
  const auto found = std::find_if(extensions_.begin(), extensions_.end(), [name](const auto& one) {
    return one->name == name;
  });
  return found == extensions_.end() ? nullptr : found->get();
}

// One that has not registered has no identifier, and an empty one finds nobody.
ExtensionHub::Extension* ExtensionHub::find_by_identifier(std::string_view identifier) const {
  if (identifier.empty()) return nullptr;
  const auto found =
      std::find_if(extensions_.begin(), extensions_.end(), [identifier](const auto& one) {
        return one->identifier == identifier;
      });
  return found == extensions_.end() ? nullptr : found->get();
}

// ---- Registration.

ExtensionKind ExtensionHub::kind_of(std::string_view name) const {
  const auto& launched = terms_.launched;
  const bool external = std::find(launched.begin(), launched.end(), name) != launched.end();
  return external ? ExtensionKind::external : ExtensionKind::internal;
}

tl::expected<std::string, RegistrationRefused> ExtensionHub::register_extension(
    const std::string& name, EventSubscription events) {
  using Reason = RegistrationRefused::Reason;
  const std::lock_guard lock(mutex_);
  if (abandoned_) return tl::unexpected(RegistrationRefused{Reason::closed});
  auto* extension = find_by_name(name);
  if (kind_of(name) == ExtensionKind::internal) {
    if (closed_) return tl::unexpected(RegistrationRefused{Reason::closed});
    if (extension != nullptr) return tl::unexpected(RegistrationRefused{Reason::name_taken});
    if (extensions_.size() >= kMaxExtensions) {
      return tl::unexpected(RegistrationRefused{Reason::too_many});
    }
    auto made = std::make_unique<Extension>();
    made->name = name;
    made->kind = ExtensionKind::internal;
    extension = made.get();
    extensions_.push_back(std::move(made));
  }
  const auto to = next_state(extension->kind, extension->state, ExtensionCause::registered);
  if (!to) {
    return tl::unexpected(RegistrationRefused{Reason::invalid_transition, extension->state});
  }
  extension->state = *to;
  extension->events = events;
  extension->identifier = terms_.new_identifier();
  if (events.invoke) tells_of_invocations_ = true;
  progressed_.notify_all();
  return extension->identifier;
}

std::optional<std::string> ExtensionHub::name_of(std::string_view identifier) const {
  const std::lock_guard lock(mutex_);
  const auto* extension = find_by_identifier(identifier);
  if (extension == nullptr) return std::nullopt;
  return extension->name;
}

void ExtensionHub::close_registration() {
  // Asked for at every invocation, and changed by the first one only.
  if (closed_) return;
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
  }
  progressed_.notify_all();
}

template <class Done>
ExtensionHub::Awaited ExtensionHub::await(TimePoint deadline, Done done) {
  std::unique_lock lock(mutex_);
  const auto finished = [&] {
    return std::all_of(
        extensions_.begin(), extensions_.end(), [&](const auto& one) { return done(*one); });
  };
  const bool decided =
      progressed_.wait_until(lock, deadline, [&] { return abandoned_ || finished(); });
  if (abandoned_) return Awaited::ended;
  return decided ? Awaited::done : Awaited::deadline_passed;
}

ExtensionHub::Awaited ExtensionHub::await_registered(TimePoint deadline) {
  return await(deadline, [](const Extension& one) { return one.state != S::started; });
}

ExtensionHub::Awaited ExtensionHub::await_ready(TimePoint deadline) {
  close_registration();
  return await(deadline, [](const Extension& one) { return one.asked; });
}

// ---- Events.

// A call whose extension has hung up meanwhile makes way for the next one, which finds the event
// that the first was woken for and could not hand out.
bool ExtensionHub::is_abandoned(const Extension& extension) {
  return extension.state == S::ready &&
         (extension.connected == nullptr || !(*extension.connected)());
}

TakeEventResult ExtensionHub::take(std::string_view identifier,
                                   const std::function<bool()>& connected) {
  using Reason = ExtensionRefused::Reason;
  std::unique_lock lock(mutex_);
  auto* extension = find_by_identifier(identifier);
  if (extension == nullptr) return ExtensionRefused{Reason::unknown_identifier};
  if (ended_) return HubEnded{};
  const auto to = next_state(extension->kind, extension->state, ExtensionCause::next_called);
  if (!to && !is_abandoned(*extension)) {
    return ExtensionRefused{Reason::invalid_transition, extension->state};
  }
  const auto from = std::exchange(extension->state, S::ready);
  extension->connected = &connected;
  const auto poll = ++extension->poll;
  extension->given.notify_all();
  if (!std::exchange(extension->asked, true)) progressed_.notify_all();
  // One that takes an abandoned call's place has not seen what was given to that one.
  if (extension->owes && from == S::running) {
    extension->owes = false;
    --owed_;
    // What is given while the lock is not held is found waiting below.
    tell_if_settled(lock);
  }
  auto result = wait_for_event(lock, *extension, poll);
  if (extension->poll == poll) extension->connected = nullptr;
  return result;
}

TakeEventResult ExtensionHub::wait_for_event(std::unique_lock<std::mutex>& lock,
                                             Extension& extension,
                                             std::uint64_t poll) {
  const auto over = [&] { return extension.poll != poll || extension.state != S::ready; };
  ++waiting_takers_;
  extension.given.wait(lock, [&] { return ended_ || over() || extension.pending; });
  --waiting_takers_;
  if (ended_) return HubEnded{};
  if (over() || !(*extension.connected)()) return ExtensionGone{};
  extension.state = S::running;
  return *std::exchange(extension.pending, std::nullopt);
}

void ExtensionHub::expect() {
  const std::lock_guard lock(mutex_);
  owed_ = 0;
  for (const auto& extension : extensions_) {
    extension->owes = extension->events.invoke && extension->state == S::ready;
    if (extension->owes) ++owed_;
  }
}

void ExtensionHub::give(const InvokeEvent& event) {
  const auto text = std::make_shared<const std::string>(text_of(event));
  std::vector<Extension*> told;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& extension : extensions_) {
      // One that has failed since then is told nothing more.
      if (!extension->owes || extension->state != S::ready) continue;
      extension->pending = GivenEvent{terms_.new_identifier(), text};
      told.push_back(extension.get());
    }
  }
  // Whoever wakes finds the lock free: all of them and the runtime share a few CPUs. None of them
  // goes before the hub does.
  for (auto* extension : told) extension->given.notify_all();
}

std::vector<std::string> ExtensionHub::give(const ShutdownEvent& event) {
  const auto text = std::make_shared<const std::string>(text_of(event));
  std::vector<std::string> told;
  const std::lock_guard lock(mutex_);
  for (const auto& extension : extensions_) {
    const bool hears = extension->state == S::registered || extension->state == S::ready ||
                       extension->state == S::running;
    // Of an internal one there is nobody left to tell, and it cannot subscribe.
    if (!hears || !extension->events.shutdown) continue;
    if (extension->kind == ExtensionKind::internal) continue;
    extension->pending = GivenEvent{terms_.new_identifier(), text};
    extension->given.notify_all();
    told.push_back(extension->name);
  }
  return told;
}

// ---- What the environment waits for.

void ExtensionHub::runtime_settled(std::string_view error_type) {
  std::unique_lock lock(mutex_);
  runtime_settled_ = true;
  error_type_ = error_type;
  tell_if_settled(lock);
}

// The lock is not held while it is told.
void ExtensionHub::tell_if_settled(std::unique_lock<std::mutex>& lock) {
  if (!runtime_settled_ || owed_ > 0 || abandoned_) return;
  runtime_settled_ = false;
  const auto error_type = std::exchange(error_type_, {});
  lock.unlock();
  callbacks_.settled(error_type);
  lock.lock();
}

// ---- Errors and ends.

tl::expected<void, ExtensionRefused> ExtensionHub::report_error(std::string_view identifier,
                                                                ExtensionErrorPhase phase,
                                                                const std::string& error_type) {
  using Reason = ExtensionRefused::Reason;
  std::string name;
  {
    const std::lock_guard lock(mutex_);
    auto* extension = find_by_identifier(identifier);
    if (extension == nullptr) return tl::unexpected(ExtensionRefused{Reason::unknown_identifier});
    const auto to =
        next_state(extension->kind,
                   extension->state,
                   phase == ExtensionErrorPhase::init ? ExtensionCause::init_error_reported
                                                      : ExtensionCause::exit_error_reported);
    if (!to || ended_) {
      return tl::unexpected(ExtensionRefused{Reason::invalid_transition, extension->state});
    }
    if (std::exchange(extension->state, *to) == *to) return {};
    extension->reported = *to;
    extension->error_type = error_type;
    extension->given.notify_all();
    name = extension->name;
  }
  callbacks_.reported(name, phase);
  return {};
}

void ExtensionHub::ended(std::string_view name, ExtensionCause how, std::string_view error_type) {
  const std::lock_guard lock(mutex_);
  auto* extension = find_by_name(name);
  if (extension == nullptr) return;
  const auto to = next_state(extension->kind, extension->state, how);
  if (!to) return;
  extension->state = *to;
  if (!error_type.empty()) extension->error_type = error_type;
  extension->given.notify_all();
}

void ExtensionHub::abandon() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  progressed_.notify_all();
}

void ExtensionHub::end() {
  const std::lock_guard lock(mutex_);
  abandoned_ = true;
  ended_ = true;
  progressed_.notify_all();
  for (const auto& extension : extensions_) extension->given.notify_all();
}

// ---- For those who tell of it.

ExtensionCensus ExtensionHub::census() const {
  const std::lock_guard lock(mutex_);
  ExtensionCensus census;
  for (const auto& extension : extensions_) {
    if (extension->identifier.empty()) continue;
    ++(extension->kind == ExtensionKind::external ? census.external : census.internal);
  }
  return census;
}

std::vector<ExtensionStatus> ExtensionHub::extensions() const {
  const std::lock_guard lock(mutex_);
  std::vector<ExtensionStatus> found;
  for (const auto& extension : extensions_) {
    found.push_back({extension->name,
                     extension->kind,
                     extension->reported.value_or(extension->state),
                     extension->events,
                     extension->error_type});
  }
  return found;
}

std::size_t ExtensionHub::waiting_takers() const {
  const std::lock_guard lock(mutex_);
  return waiting_takers_;
}

}  // namespace runtime_api
