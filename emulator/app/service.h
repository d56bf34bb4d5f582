// The Lambda service around the machine: what exists, what it is made of, what waits in the queue,
// and the time that all of it hangs on. Builds the parts, joins them, and stops them in order.
#pragma once

#include "emulator/app/app_error.h"
#include "emulator/app/delivery.h"
#include "emulator/app/deployment.h"
#include "emulator/app/emulator.h"
#include "emulator/app/hot_code.h"
#include "emulator/control_plane/operation.h"
#include "emulator/control_plane/operation_router.h"
#include "emulator/functions/code_store.h"
#include "emulator/invoke/activity.h"
#include "emulator/invoke/async_queue.h"
#include "emulator/invoke/deployments.h"
#include "emulator/invoke/outbox.h"
#include "emulator/registry/registry.h"
#include "emulator/state/store.h"
#include "emulator/time/virtual_time.h"

#include <tl/expected.hpp>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <vector>

namespace emulator::app {

struct ServiceOptions {
  EmulatorOptions emulator;
  DeploymentWorld deployment;
  control_plane::AccountLimits account_limits;
  std::optional<std::filesystem::path> state_folder;  // nothing: all is in memory
  // Where the service's time begins, if it stands still until it is advanced; nothing: the host's.
  std::optional<std::chrono::system_clock::time_point> virtual_start;
  std::map<invoke::TargetKind, Endpoint> endpoints;
  std::vector<std::filesystem::path> hot_folders;  // see ServiceWorld
  std::uint64_t alias_seed = 0;                    // of the draws between an alias's versions
  std::string endpoint;                            // of the API itself
};

// Any thread, but for construction and destruction.
class Service {
 public:
  static tl::expected<std::unique_ptr<Service>, AppError> open(ServiceOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service();

  // Functions that were described to Hearth itself; deploys them all. Each further name of
  // `aliases` means the function that it names.
  tl::expected<void, AppError> serve(const std::vector<functions::FunctionConfiguration>& described,
                                     std::map<std::string, std::string> further_names);

  // An event for a function that is here, by its name or a further one. Kept when this returns.
  // Answers with the trace header that its attempts continue.
  tl::expected<std::string, invoke::Refusal> accept(invoke::InvocationRequest request);

  // From here on the queue runs what it holds.
  void start();

  Emulator& emulator() { return *emulator_; }
  registry::Registry& registry() { return *registry_; }
  const functions::CodeStore& code() const { return *code_; }
  invoke::AsyncQueue& queue() { return *queue_; }
  invoke::Outbox& outbox() { return *outbox_; }
  control_plane::OperationRouter& router() { return *router_; }

  // The service's time.
  const time::Clock& clock() const;
  // Nothing where it is the host's.
  time::VirtualTime* virtual_time() { return virtual_time_.get(); }
  // Moves virtual time on; every consequence of a timer is over before the next one fires. Returns
  // how many fired, or a sentence where the clock cannot be moved so.
  tl::expected<std::size_t, std::string> advance(std::chrono::milliseconds by);

  // From the beginning of stop() on.
  bool stopping() const { return stopping_; }

  // Ends what runs and leaves no process. What was accepted and not run stays in the state folder.
  void stop();

 private:
  explicit Service(ServiceOptions options) : options_(std::move(options)) {}

  tl::expected<void, AppError> open_state();
  void build_machine();
  tl::expected<void, AppError> build_queue();
  void build_api();

  tl::expected<invoke::Target, invoke::Refusal> find(const std::string& name,
                                                     const std::optional<std::string>& qualifier);
  tl::expected<invoke::InvocationResult, invoke::Refusal> attempt(invoke::InvocationRequest request,
                                                                  int number);
  tl::expected<environment::Pool::Spec, std::string> deploy(
      const registry::FunctionVersion& version);
  std::optional<std::string> layer_package(const std::string& arn) const;
  std::optional<invoke::Terms> terms_of(const std::string& function,
                                        const std::optional<std::string>& qualifier) const;
  control_plane::ProvisionedState provisioned_state(const std::string& function,
                                                    const std::string& qualifier) const;
  double draw();
  void settle();
  void keep_virtual_time();
  time::TimerQueue& timers();

  const ServiceOptions options_;
  time::SystemClock system_clock_;
  std::unique_ptr<time::VirtualTime> virtual_time_;
  std::unique_ptr<time::TimerQueue> own_timers_;
  std::unique_ptr<state::Store> store_;
  std::unique_ptr<functions::TemporaryFolder> temporary_code_;
  std::unique_ptr<functions::CodeStore> code_;
  std::unique_ptr<registry::Registry> registry_;
  std::unique_ptr<control_plane::ServiceWorld> api_world_;
  std::unique_ptr<Emulator> emulator_;
  std::unique_ptr<invoke::Deployments> deployments_;
  std::unique_ptr<HotCode> hot_code_;
  std::unique_ptr<DeliveryRoutes> routes_;
  invoke::Activity activity_;
  std::shared_ptr<invoke::Outbox> outbox_;
  std::shared_ptr<invoke::AsyncQueue> queue_;
  std::unique_ptr<control_plane::OperationRouter> router_;
  std::atomic<bool> stopping_ = false;
  bool told_loss_ = false;  // the owner's thread

  mutable std::mutex mutex_;  // guards what follows
  std::mt19937_64 draws_;
  std::map<std::string, std::string> further_names_;
};

}  // namespace emulator::app
