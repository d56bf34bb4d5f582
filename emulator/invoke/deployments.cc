#include "emulator/invoke/deployments.h"

#include "emulator/registry/machine_configuration.h"
#include "emulator/registry/resolution.h"

#include <set>
#include <utility>
#include <vector>

namespace emulator::invoke {
namespace {

using environment::Pool;
using registry::SharedVersion;

constexpr std::string_view kLatest = "$LATEST";

Refusal not_found(const std::string& name, const std::optional<std::string>& qualifier) {
  if (!qualifier) {
    return {.kind = Refusal::Kind::function_not_found,
            .message = "there is no function " + name + "; create it, or look at the template"};
  }
  return {.kind = Refusal::Kind::qualifier_not_found,
          .message = "function " + name + " has no version or alias " + *qualifier};
}

std::map<std::string, Provision> wanted_provisions(const registry::FunctionRecord* record) {
  std::map<std::string, Provision> wanted;
  if (record == nullptr) return wanted;
  for (const auto& [qualifier, config] : record->provisioned) {
    const auto alias = record->aliases.find(qualifier);
    const auto version =
        record->version(alias == record->aliases.end() ? qualifier : alias->second.version);
    if (!version) continue;
    wanted[qualifier] = {version, nullptr, static_cast<std::size_t>(config.requested)};
  }
  return wanted;
}

// Published versions that are to have a snapshot.
std::vector<SharedVersion> with_snap_start(const registry::FunctionRecord* record) {
  std::vector<SharedVersion> found;
  if (record == nullptr) return found;
  for (const auto& [_, version] : record->published) {
    if (registry::uses_snap_start(*version)) found.push_back(version);
  }
  return found;
}

// Versions whose environments are kept ahead for as long as the version is there.
std::vector<SharedVersion> on_managed_instances(const registry::FunctionRecord* record) {
  std::vector<SharedVersion> found;
  if (record == nullptr) return found;
  for (const auto& version : record->versions()) {
    if (version->number == kLatest) continue;
    if (registry::runs_on_managed_instances(*version)) found.push_back(version);
  }
  return found;
}

std::optional<environment::ManagedScale> scale_of(const registry::FunctionRecord& record,
                                                  const std::string& number) {
  const auto config = record.scaling.find(number);
  if (config == record.scaling.end()) return std::nullopt;
  return environment::ManagedScale{static_cast<std::size_t>(config->second.least),
                                   static_cast<std::size_t>(config->second.most)};
}

// Source of the rule: developer guide, "$LATEST.PUBLISHED version in Lambda Managed Instances" and
// "Scaling Lambda Managed Instances"; the sentences are ours.
std::optional<Refusal> refusal_of_managed(const registry::FunctionRecord& record,
                                          const std::string& number) {
  if (number == kLatest) {
    return Refusal{.kind = Refusal::Kind::not_invocable,
                   .message =
                       "$LATEST of a function on Managed Instances is not invoked; publish it with "
                       "PublishTo LATEST_PUBLISHED, and invoke the function without a qualifier"};
  }
  const auto scale = scale_of(record, number);
  if (!scale || scale->max_environments > 0) return std::nullopt;
  return Refusal{.kind = Refusal::Kind::not_invocable,
                 .message =
                     "The version is deactivated, for it may have no execution environment; "
                     "raise MaxExecutionEnvironments with PutFunctionScalingConfig"};
}

std::optional<Refusal> refusal_of(const environment::VersionStatus& snapshot) {
  using State = environment::VersionStatus::State;
  // Source of the first text: developer guide, "Troubleshooting SnapStart errors". The second is
  // ours.
  if (snapshot.state == State::pending) {
    return Refusal{.kind = Refusal::Kind::snapshot_not_ready,
                   .message =
                       "Lambda is initializing your function. It will be ready to invoke "
                       "once your function state becomes ACTIVE."};
  }
  if (snapshot.state != State::failed) return std::nullopt;
  return Refusal{.kind = Refusal::Kind::snapshot_failed,
                 .message = "The function version cannot be invoked, for its Init failed with " +
                            std::string(environment::error_type(*snapshot.failure)) +
                            " when it was published; look at its log, mend it and publish again"};
}

}  // namespace

Deployments::Deployments(const registry::Registry& registry,
                         Pool& pool,
                         Deploy deploy,
                         std::function<double()> draw,
                         std::function<std::string(const std::string&)> arn_of)
    : registry_(registry),
      pool_(pool),
      deploy_(std::move(deploy)),
      draw_(std::move(draw)),
      arn_of_(std::move(arn_of)) {}

tl::expected<Target, Refusal> Deployments::find(const std::string& function_name,
                                                const std::optional<std::string>& qualifier) {
  const auto record = registry_.find(function_name);
  if (!record) return tl::unexpected(not_found(function_name, std::nullopt));
  const auto resolution = registry::resolve(*record, qualifier, draw_);
  if (!resolution) return tl::unexpected(not_found(function_name, qualifier));
  const auto spec = spec_of(resolution->version);
  if (!spec) return tl::unexpected(spec.error());
  if ((*spec)->initialization == environment::Initialization::snap_start) {
    auto refusal = refusal_of(pool_.version_status(*spec));
    if (refusal) return tl::unexpected(std::move(*refusal));
  }
  if ((*spec)->managed) {
    auto refusal = refusal_of_managed(*record, resolution->version->number);
    if (refusal) return tl::unexpected(std::move(*refusal));
  }
  Target target;
  target.candidates.on_demand = *spec;
  if (!record->provisioned.empty()) {
    target.candidates.provisioned = provisioned_spec(function_name, *resolution);
  }
  target.arn = arn_of_(function_name);
  return target;
}

Pool::Spec Deployments::provisioned_spec(const std::string& function_name,
                                         const registry::Resolution& resolution) const {
  const std::shared_lock lock(mutex_);
  const auto function = functions_.find(function_name);
  if (function == functions_.end()) return nullptr;
  const auto provision = function->second.provisions.find(resolution.qualifier);
  if (provision == function->second.provisions.end()) return nullptr;
  return provision->second.version == resolution.version ? provision->second.spec : nullptr;
}

tl::expected<Pool::Spec, Refusal> Deployments::spec_of(const SharedVersion& version) {
  SharedDeployment deployment;
  {
    const std::shared_lock lock(mutex_);
    const auto function = functions_.find(version->function_name);
    if (function != functions_.end()) {
      const auto found = function->second.deployments.find(version);
      if (found != function->second.deployments.end()) deployment = found->second;
    }
  }
  if (!deployment) {
    // A caller may still hold what was replaced or removed since: that is run, and not kept.
    const auto record = registry_.find(version->function_name);
    if (!record || record->version(version->number) != version) {
      auto deployed = deploy_(*version);
      if (deployed) return *deployed;
      return tl::unexpected(
          Refusal{.kind = Refusal::Kind::not_runnable, .message = std::move(deployed.error())});
    }
    const std::unique_lock lock(mutex_);
    auto& slot = functions_[version->function_name].deployments[version];
    if (!slot) slot = std::make_shared<Deployment>();
    deployment = slot;
  }
  if (deployment->made.load(std::memory_order_acquire)) return deployment->spec;
  const std::lock_guard making(deployment->making);
  if (deployment->spec) return deployment->spec;
  // A failure is not kept: the developer may have mended the host meanwhile.
  auto deployed = deploy_(*version);
  if (!deployed) {
    return tl::unexpected(
        Refusal{.kind = Refusal::Kind::not_runnable, .message = std::move(deployed.error())});
  }
  deployment->spec = std::move(*deployed);
  deployment->made.store(true, std::memory_order_release);
  return deployment->spec;
}

void Deployments::follow(const std::string& function_name) {
  deploy_provisioned(function_name);
  const std::lock_guard one_at_a_time(following_);
  const auto record = registry_.find(function_name);
  std::optional<std::size_t> reserved;
  if (record && record->reserved_concurrency) {
    reserved = static_cast<std::size_t>(*record->reserved_concurrency);
  }
  pool_.set_reserved(function_name, reserved);
  follow_provisions(function_name, record.get());
  forget_former_versions(function_name, record.get());
  follow_ahead(function_name, record.get());
}

// Deploying may take long: it is done before others are made to wait for this function's turn.
void Deployments::deploy_provisioned(const std::string& function_name) {
  const auto record = registry_.find(function_name);
  for (const auto& [_, provision] : wanted_provisions(record.get())) spec_of(provision.version);
  for (const auto& version : with_snap_start(record.get())) spec_of(version);
  for (const auto& version : on_managed_instances(record.get())) spec_of(version);
}

void Deployments::forget_former_versions(const std::string& name,
                                         const registry::FunctionRecord* record) {
  std::vector<SharedDeployment> former;
  {
    const std::unique_lock lock(mutex_);
    const auto function = functions_.find(name);
    if (function == functions_.end()) return;
    std::map<SharedVersion, SharedDeployment> staying;
    for (auto& [version, deployment] : function->second.deployments) {
      const auto now = record != nullptr ? record->version(version->number) : nullptr;
      const bool stays = now && (now == version || registry::runs_alike(*now, *version));
      if (!stays) {
        former.push_back(std::move(deployment));
        continue;
      }
      // What was made for the new one meanwhile makes way for what has environments already.
      auto& place = staying[now];
      if (now != version || !place) std::swap(place, deployment);
      if (deployment) former.push_back(std::move(deployment));
    }
    function->second.deployments = std::move(staying);
    if (record == nullptr) functions_.erase(function);
  }
  for (const auto& deployment : former) {
    const std::lock_guard making(deployment->making);
    if (deployment->spec) pool_.retire_version(deployment->spec);
  }
}

// What is no longer wanted goes before what is wanted comes: the same environments are never
// counted twice against the account.
void Deployments::follow_provisions(const std::string& name,
                                    const registry::FunctionRecord* record) {
  std::map<std::string, Provision> former;
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = functions_.find(name); found != functions_.end()) {
      former = found->second.provisions;
    }
  }
  auto wanted = wanted_provisions(record);
  for (const auto& [qualifier, before] : former) {
    const auto next = wanted.find(qualifier);
    const bool stays =
        next != wanted.end() && registry::runs_alike(*next->second.version, *before.version);
    if (stays) next->second.spec = before.spec;
    if (!stays && before.spec) pool_.provision(before.spec, 0);
  }
  for (auto& [qualifier, provision] : wanted) {
    const auto before = former.find(qualifier);
    // What failed is tried again, whatever it is that changed.
    const bool stands =
        provision.spec && before->second.environments == provision.environments &&
        pool_.provisioned_status(provision.spec).state != environment::ProvisionedState::failed;
    if (stands) continue;
    if (!provision.spec) provision.spec = make_provisioned_spec(provision.version);
    if (provision.spec) pool_.provision(provision.spec, provision.environments);
  }
  if (former.empty() && wanted.empty()) return;
  const std::unique_lock lock(mutex_);
  functions_[name].provisions = std::move(wanted);
}

// Versions never change, so a snapshot that was begun stands; retiring the version ends it. How
// many environments a version on Managed Instances has is changed at any time.
void Deployments::follow_ahead(const std::string& name, const registry::FunctionRecord* record) {
  std::map<std::string, Pool::Spec> former;
  {
    const std::shared_lock lock(mutex_);
    if (const auto found = functions_.find(name); found != functions_.end()) {
      former = found->second.ahead;
    }
  }
  std::map<std::string, Pool::Spec> wanted;
  for (const auto& version : with_snap_start(record)) {
    const auto spec = spec_of(version);
    auto& place = wanted[version->number];
    if (!spec) continue;
    place = *spec;
    if (former[version->number] != place) pool_.keep_snapshot(place);
  }
  for (const auto& version : on_managed_instances(record)) {
    const auto spec = spec_of(version);
    auto& place = wanted[version->number];
    if (!spec) continue;
    place = *spec;
    pool_.keep_managed(place, scale_of(*record, version->number));
  }
  if (former.empty() && wanted.empty()) return;
  const std::unique_lock lock(mutex_);
  // Of a function that is gone nothing stays.
  if (const auto found = functions_.find(name); found != functions_.end() || !wanted.empty()) {
    functions_[name].ahead = std::move(wanted);
  }
}

Pool::Spec Deployments::make_provisioned_spec(const SharedVersion& version) {
  const auto on_demand = spec_of(version);
  if (!on_demand) return nullptr;
  // What the deployment keeps on disk must last as long as these environments do.
  struct Variant {
    Pool::Spec on_demand;
    environment::EnvironmentSpec spec;
  };
  auto variant =
      std::make_shared<const Variant>(Variant{*on_demand, provisioned_variant(**on_demand)});
  return {variant, &variant->spec};
}

void Deployments::code_changed(const std::function<bool(const registry::FunctionVersion&)>& uses) {
  std::vector<SharedDeployment> changed;
  {
    const std::unique_lock lock(mutex_);
    for (auto& [name, function] : functions_) {
      for (auto at = function.deployments.begin(); at != function.deployments.end();) {
        if (!uses(*at->first)) {
          ++at;
          continue;
        }
        changed.push_back(std::move(at->second));
        at = function.deployments.erase(at);
      }
    }
  }
  std::set<std::string> managed;
  for (const auto& deployment : changed) {
    const std::lock_guard making(deployment->making);
    if (!deployment->spec) continue;
    pool_.retire_version(deployment->spec);
    if (deployment->spec->managed) managed.insert(deployment->spec->function_name);
  }
  // They are initialised ahead again.
  for (const auto& name : managed) follow(name);
}

std::optional<environment::VersionStatus> Deployments::version_status(
    const std::string& function_name, const std::string& number) const {
  Pool::Spec spec;
  {
    const std::shared_lock lock(mutex_);
    const auto function = functions_.find(function_name);
    if (function == functions_.end()) return std::nullopt;
    const auto found = function->second.ahead.find(number);
    if (found == function->second.ahead.end()) return std::nullopt;
    spec = found->second;
  }
  if (spec) return pool_.version_status(spec);
  return environment::VersionStatus{
      .state = environment::VersionStatus::State::failed,
      .failure = environment::NeverStarted{
          "Runtime.InvalidRuntime", "this host cannot run the version", {}}};
}

std::optional<environment::ProvisionedStatus> Deployments::provisioned_status(
    const std::string& function_name, const std::string& qualifier) const {
  Provision provision;
  {
    const std::shared_lock lock(mutex_);
    const auto function = functions_.find(function_name);
    if (function == functions_.end()) return std::nullopt;
    const auto found = function->second.provisions.find(qualifier);
    if (found == function->second.provisions.end()) return std::nullopt;
    provision = found->second;
  }
  if (!provision.spec) {
    return environment::ProvisionedStatus{.requested = provision.environments,
                                          .state = environment::ProvisionedState::failed,
                                          .failure = "Runtime.InvalidRuntime"};
  }
  return pool_.provisioned_status(provision.spec);
}

}  // namespace emulator::invoke
