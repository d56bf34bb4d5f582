#include "emulator/app/service.h"

#include "emulator/app/identifiers.h"
#include "emulator/control_plane/described_functions.h"
#include "emulator/control_plane/layer_names.h"
#include "emulator/registry/machine_configuration.h"
#include "emulator/registry/resolution.h"

#include <nlohmann/json.hpp>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <charconv>
#include <utility>

namespace emulator::app {
namespace {

AppError from(const state::StoreError& error) { return {kHostCannot, error.message}; }
AppError from(const functions::CodePackageError& error) { return {kHostCannot, error.message}; }

constexpr std::string_view kClockTable = "clock";
constexpr std::string_view kVirtualNow = "virtual_ms";

// Where virtual time stood when the state folder was last used: what is kept there has moments of
// it, and time does not go back. The beginning of all time if it was never advanced.
std::chrono::system_clock::time_point kept_virtual_time(const state::Store& store) {
  std::int64_t milliseconds = 0;
  // What is no number counts as never: the clock then begins where it was told to.
  const auto read = store.each(kClockTable, [&](std::string_view key, std::string_view value) {
    if (key == kVirtualNow) {
      std::from_chars(value.data(), value.data() + value.size(), milliseconds);
    }
  });
  if (!read) spdlog::warn("{}", read.error().message);
  return std::chrono::system_clock::time_point(std::chrono::milliseconds(milliseconds));
}

// What is kept is full of ARNs, so a folder belongs to one account and region.
tl::expected<void, AppError> check_identity(state::Store& store, const EmulatorOptions& options) {
  const std::string own = options.account + "/" + options.region;
  std::string kept;
  const auto read = store.each(
      "identity", [&](std::string_view, std::string_view value) { kept = std::string(value); });
  if (!read) return tl::unexpected(from(read.error()));
  if (kept.empty()) {
    if (auto done = store.commit({{"identity", "account", own}}); !done) {
      return tl::unexpected(from(done.error()));
    }
    return {};
  }
  if (kept == own) return {};
  const auto slash = kept.find('/');
  return tl::unexpected(AppError{kWrongUsage,
                                 "the state folder was made with --account " +
                                     kept.substr(0, slash) + " --region " + kept.substr(slash + 1) +
                                     "; start with these again, or choose another --state-dir"});
}

// Whether environments of it are kept ahead for as long as it is there.
bool keeps_environments(const registry::FunctionRecord& function) {
  if (!function.provisioned.empty()) return true;
  if (registry::runs_on_managed_instances(*function.latest)) return true;
  return std::any_of(function.published.begin(), function.published.end(), [](const auto& one) {
    return registry::uses_snap_start(*one.second) ||
           registry::runs_on_managed_instances(*one.second);
  });
}

}  // namespace

tl::expected<std::unique_ptr<Service>, AppError> Service::open(ServiceOptions options) {
  std::unique_ptr<Service> service(new Service(std::move(options)));
  if (auto opened = service->open_state(); !opened) return tl::unexpected(opened.error());
  // What the state folder holds is deployed while the machine is built, and layers are found by the
  // API's view of the registry.
  service->build_api();
  service->build_machine();
  if (auto built = service->build_queue(); !built) return tl::unexpected(built.error());
  return service;
}

Service::~Service() { stop(); }

// ---- Building.

tl::expected<void, AppError> Service::open_state() {
  draws_.seed(options_.alias_seed);
  if (options_.state_folder) {
    auto store = state::open_store(*options_.state_folder);
    if (!store) return tl::unexpected(from(store.error()));
    store_ = std::move(*store);
  } else {
    store_ = state::store_in_memory();
    auto folder = functions::TemporaryFolder::create(options_.deployment.temporary_parent);
    if (!folder) return tl::unexpected(from(folder.error()));
    temporary_code_ = std::move(*folder);
  }
  if (options_.virtual_start) {
    virtual_time_ = std::make_unique<time::VirtualTime>(
        std::max(*options_.virtual_start, kept_virtual_time(*store_)));
  } else {
    own_timers_ = std::make_unique<time::TimerQueue>(system_clock_, time::TimerDrive::own_thread);
  }
  if (auto same = check_identity(*store_, options_.emulator); !same) return same;
  auto code = functions::CodeStore::open(options_.state_folder ? *options_.state_folder / "code"
                                                               : temporary_code_->path());
  if (!code) return tl::unexpected(from(code.error()));
  code_ = std::move(*code);
  auto opened = registry::Registry::open(*store_);
  if (!opened) return tl::unexpected(AppError{kHostCannot, opened.error().message});
  registry_ = std::move(*opened);
  // A kill between keeping code and naming it leaves code that nobody names.
  if (options_.state_folder) code_->keep_only(registry_->named_packages());
  code_->ask_before_removing(
      [this](const std::string& hash) { return registry_->names_package(hash); });
  return {};
}

void Service::build_machine() {
  auto built_with = options_.emulator;
  built_with.service_time = {.clock = &clock(), .timers = &timers()};
  if (temporary_code_) built_with.temporary_folders.push_back(temporary_code_->path());
  emulator_ = std::make_unique<Emulator>(built_with, [this](Emulator& emulator) {
    deployments_ = std::make_unique<invoke::Deployments>(
        *registry_,
        emulator.pool(),
        [this](const registry::FunctionVersion& version) { return deploy(version); },
        [this] { return draw(); },
        [this](const std::string& name) {
          return functions::function_arn(options_.emulator.region, options_.emulator.account, name);
        });
    return [this](const std::string& name, const std::optional<std::string>& qualifier) {
      return find(name, qualifier);
    };
  });
  hot_code_ = std::make_unique<HotCode>(
      [this](const std::string& name) { return registry_->find(name); },
      [this](const std::filesystem::path& place) {
        deployments_->code_changed([&place](const registry::FunctionVersion& version) {
          return runs_from(version, place);
        });
      });
  const auto follow = [this](const std::string& name) {
    deployments_->follow(name);
    hot_code_->follow(name);
  };
  registry_->on_change([this, follow](const auto& before, const auto& after) {
    follow(after ? after->name : before->name);
    if (!before) return;
    for (const auto& package : before->packages()) {
      if (!registry_->names_package(package)) code_->discard(package);
    }
  });
  // Of what the state folder brought, only what has a standing with the machine.
  for (const auto& function : registry_->list("", SIZE_MAX)) {
    const bool stands = function->reserved_concurrency || keeps_environments(*function);
    if (stands) deployments_->follow(function->name);
    const auto& code = function->latest->code;
    if (!code.folder.empty() || !code.layers.empty()) hot_code_->follow(function->name);
  }
}

void Service::build_api() {
  api_world_.reset(new control_plane::ServiceWorld{
      .registry = *registry_,
      .code = *code_,
      .clock = clock(),
      .new_uuid = [] { return new_uuid(); },
      .region = options_.emulator.region,
      .account = options_.emulator.account,
      .limits = options_.account_limits,
      .provisioned_state =
          [this](const std::string& function, const std::string& qualifier) {
            return provisioned_state(function, qualifier);
          },
      .version_status =
          [this](const std::string& function, const std::string& number) {
            return deployments_->version_status(function, number);
          },
      .unrunnable = [this](const registry::FunctionVersion& version) -> std::optional<std::string> {
        const auto deployed = deploy(version);
        if (deployed) return std::nullopt;
        return deployed.error();
      },
      .hot_folders = options_.hot_folders,
      .endpoint = options_.endpoint});
  router_ = std::make_unique<control_plane::OperationRouter>(*api_world_,
                                                             control_plane::all_operations());
}

// Under virtual time events and deliveries go one after the other, so that two runs are alike.
tl::expected<void, AppError> Service::build_queue() {
  const invoke::AsyncWorld world{.store = *store_,
                                 .clock = clock(),
                                 .timers = timers(),
                                 .activity = activity_,
                                 .tell = [](const std::string& what) { spdlog::warn("{}", what); }};
  DeliveryPlaces places{.endpoints = options_.endpoints, .folder = std::nullopt};
  if (options_.state_folder) places.folder = *options_.state_folder / "deliveries";
  routes_ = std::make_unique<DeliveryRoutes>(
      std::move(places),
      [this](invoke::InvocationRequest request) { return accept(std::move(request)); },
      [] { return new_uuid(); });
  auto outbox = invoke::Outbox::open(
      world,
      [this](const invoke::Delivery& delivery) { return routes_->deliver(delivery); },
      virtual_time_ ? invoke::OutboxLimits{.threads = 1} : invoke::OutboxLimits{});
  if (!outbox) return tl::unexpected(AppError{kHostCannot, outbox.error()});
  outbox_ = std::move(*outbox);
  auto queue = invoke::AsyncQueue::open(
      world,
      *outbox_,
      [this](invoke::InvocationRequest request, int number) {
        return attempt(std::move(request), number);
      },
      [this](const std::string& function, const std::optional<std::string>& qualifier) {
        return terms_of(function, qualifier);
      },
      virtual_time_ ? invoke::QueueLimits{.threads = 1} : invoke::QueueLimits{});
  if (!queue) return tl::unexpected(AppError{kHostCannot, queue.error()});
  queue_ = std::move(*queue);
  return {};
}

tl::expected<void, AppError> Service::serve(
    const std::vector<functions::FunctionConfiguration>& described,
    std::map<std::string, std::string> further_names) {
  {
    const std::lock_guard lock(mutex_);
    further_names_ = std::move(further_names);
  }
  for (const auto& function : described) {
    if (const auto valid = functions::validate(function); !valid) {
      return tl::unexpected(AppError{kWrongUsage, valid.error().message});
    }
    if (auto put = control_plane::put_described(function, *api_world_); !put) {
      return tl::unexpected(AppError{kHostCannot, put.error().message});
    }
    // A developer who names a function that cannot run is told now, not at its first invocation.
    if (const auto found = deployments_->find(function.name, std::nullopt); !found) {
      return tl::unexpected(AppError{kHostCannot, found.error().message});
    }
  }
  return {};
}

tl::expected<std::string, invoke::Refusal> Service::accept(invoke::InvocationRequest request) {
  // What waits in the queue is known by the function's own name, whatever the next template says.
  if (!registry_->find(request.function_name)) {
    const std::lock_guard lock(mutex_);
    const auto further = further_names_.find(request.function_name);
    if (further != further_names_.end()) request.function_name = further->second;
  }
  auto trace = emulator_->invoker().begin_event(request);
  if (!trace) return trace;
  if (!trace->empty()) request.trace_id = *trace;
  return queue_->accept(std::move(request)).map([&] { return std::move(*trace); });
}

void Service::start() {
  outbox_->start();
  queue_->start();
}

// ---- What the parts ask of one another.

tl::expected<invoke::Target, invoke::Refusal> Service::find(
    const std::string& name, const std::optional<std::string>& qualifier) {
  auto found = deployments_->find(name, qualifier);
  if (found || found.error().kind != invoke::Refusal::Kind::function_not_found) return found;
  std::string meant;
  {
    const std::lock_guard lock(mutex_);
    const auto further = further_names_.find(name);
    if (further == further_names_.end()) return found;
    meant = further->second;
  }
  return deployments_->find(meant, qualifier);
}

// An attempt that the stop itself ends, or does not let begin, is not the function's failure: the
// event waits for the next start.
tl::expected<invoke::InvocationResult, invoke::Refusal> Service::attempt(
    invoke::InvocationRequest request, int number) {
  request.kind = environment::InvocationKind::event;
  request.attempt = number;
  auto result = emulator_->invoker().invoke(std::move(request));
  const bool answered = result && environment::succeeded(result->outcome);
  if (!stopping_ || answered) return result;
  return tl::unexpected(invoke::Refusal{.kind = invoke::Refusal::Kind::shutting_down,
                                        .message = "Hearth is stopping"});
}

tl::expected<environment::Pool::Spec, std::string> Service::deploy(
    const registry::FunctionVersion& version) {
  // What is unpacked stays while environments are made of it, whoever names it still.
  struct Kept {
    Deployed deployed;
    std::vector<functions::CodeHold> holds;
  };
  const auto kept = std::make_shared<Kept>();
  const auto held = [this, &kept](const std::string& hash) {
    kept->holds.push_back(code_->hold(hash));
    return code_->folder_of(hash);
  };
  const registry::CodePlaces places{
      .package = held,
      .layer_version = [&](const std::string& arn) -> std::optional<std::filesystem::path> {
        const auto package = layer_package(arn);
        return package ? held(*package) : std::nullopt;
      }};
  const auto configuration = registry::machine_configuration(version, places);
  if (!configuration) return tl::unexpected(configuration.error());
  auto deployed = app::deploy(*configuration, options_.deployment, version.number);
  if (!deployed) return tl::unexpected(deployed.error().message);
  for (const auto& remark : deployed->remarks) spdlog::warn("{}: {}", configuration->name, remark);
  for (const auto& folder : deployed->package.unpacked) emulator_->remove_at_end(folder->path());
  kept->deployed = std::move(*deployed);
  return environment::Pool::Spec(kept, kept->deployed.spec.get());
}

std::optional<std::string> Service::layer_package(const std::string& arn) const {
  const auto name = control_plane::parse_layer_version_arn(arn);
  if (!name) return std::nullopt;
  const auto layer = control_plane::find_layer_version(*api_world_, name->layer, name->version);
  return layer ? std::optional(layer->package) : std::nullopt;
}

std::optional<invoke::Terms> Service::terms_of(const std::string& function,
                                               const std::optional<std::string>& qualifier) const {
  const auto record = registry_->find(function);
  if (!record) return std::nullopt;
  const auto resolution = registry::resolve(*record, qualifier, [] { return 1.0; });
  if (!resolution) return std::nullopt;
  invoke::Terms terms;
  terms.function_arn =
      functions::function_arn(options_.emulator.region, options_.emulator.account, function);
  if (const auto found = record->event_invoke.find(resolution->qualifier);
      found != record->event_invoke.end()) {
    const auto& config = found->second;
    terms.maximum_retries = config.maximum_retry_attempts.value_or(terms.maximum_retries);
    if (config.maximum_event_age_seconds) {
      terms.maximum_age = std::chrono::seconds(*config.maximum_event_age_seconds);
    }
    terms.on_success = config.on_success;
    terms.on_failure = config.on_failure;
  }
  terms.dead_letter = registry::dead_letter_target(*resolution->version);
  if (record->reserved_concurrency == 0) {
    terms.reserved_concurrency = invoke::ReservedConcurrency::zero;
  }
  if (const auto found = record->settings.find("recursion");
      found != record->settings.end() && found->second.find("\"Allow\"") != std::string::npos) {
    terms.recursive_loop = invoke::RecursiveLoop::allow;
  }
  return terms;
}

control_plane::ProvisionedState Service::provisioned_state(const std::string& function,
                                                           const std::string& qualifier) const {
  using Status = control_plane::ProvisionedState::Status;
  control_plane::ProvisionedState shown;
  const auto status = deployments_->provisioned_status(function, qualifier);
  if (!status) return shown;
  shown.allocated = static_cast<int>(status->allocated);
  shown.available = static_cast<int>(status->available);
  switch (status->state) {
    case environment::ProvisionedState::in_progress:
      shown.status = Status::in_progress;
      break;
    case environment::ProvisionedState::ready:
      shown.status = Status::ready;
      break;
    case environment::ProvisionedState::failed:
      shown.status = Status::failed;
      // Source: recorded from the service, 2026-02.
      shown.reason = "FUNCTION_ERROR_INIT_FAILURE";
      break;
  }
  return shown;
}

double Service::draw() {
  const std::lock_guard lock(mutex_);
  return std::uniform_real_distribution<double>(0, 1)(draws_);
}

// ---- Time.

const time::Clock& Service::clock() const {
  if (virtual_time_) return virtual_time_->clock();
  return system_clock_;
}

time::TimerQueue& Service::timers() {
  return virtual_time_ ? virtual_time_->timers() : *own_timers_;
}

// An attempt may begin an init or end an environment, and both may end while the other is awaited;
// neither begins an attempt.
void Service::settle() {
  activity_.await_none();
  emulator_->pool().await_settled();
}

// A kill on the way finds the moment that was reached.
void Service::keep_virtual_time() {
  const auto now = clock().wall_now().time_since_epoch();
  const auto kept = store_->commit(
      {{std::string(kClockTable),
        std::string(kVirtualNow),
        std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(now).count())}});
  if (!kept) spdlog::warn("virtual time is not kept: {}", kept.error().message);
}

tl::expected<std::size_t, std::string> Service::advance(std::chrono::milliseconds by) {
  // What was accepted before this moment happens before it passes.
  settle();
  const auto fired = virtual_time_->advance(by, [this] {
    settle();
    keep_virtual_time();
  });
  if (!fired) return tl::unexpected(fired.error().message);
  keep_virtual_time();
  if (stopping_) return tl::unexpected(std::string("Hearth is stopping; not all is settled"));
  return *fired;
}

// ---- The end.

void Service::stop() {
  stopping_ = true;
  if (queue_) queue_->close();
  if (outbox_) outbox_->close();
  if (emulator_) emulator_->stop();
  if (queue_) queue_->stop();
  if (outbox_) outbox_->stop();
  // Closed again, each tells what is left now that nothing runs any more.
  const auto lost = (queue_ ? queue_->close() : 0) + (outbox_ ? outbox_->close() : 0);
  if (lost > 0 && !std::exchange(told_loss_, true)) {
    spdlog::warn("{} accepted events or deliveries end with this process; --state-dir keeps them",
                 lost);
  }
}

}  // namespace emulator::app
