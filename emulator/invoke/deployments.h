// From a function's version to what its environments are made of: deployed when it is first run,
// kept while the version stays what it is.
#pragma once

#include "emulator/environment/pool.h"
#include "emulator/invoke/invoker.h"
#include "emulator/registry/registry.h"
#include "emulator/registry/resolution.h"

#include <tl/expected.hpp>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>

namespace emulator::invoke {

// Unpacks what a version needs and finds its runtime; a sentence where this host cannot run it. The
// result keeps alive whatever its environments need on disk. May take long; any thread.
using Deploy = std::function<tl::expected<environment::Pool::Spec, std::string>(
    const registry::FunctionVersion& version)>;

// Environments that are kept initialised for a qualifier.
struct Provision {
  registry::SharedVersion version;
  environment::Pool::Spec spec;  // nothing: the version could not be deployed
  std::size_t environments = 0;
};

// Any thread.
class Deployments {
 public:
  // `draw` gives a number from 0 to below 1, for aliases that split between versions.
  // `arn_of` gives a function's ARN without a qualifier.
  Deployments(const registry::Registry& registry,
              environment::Pool& pool,
              Deploy deploy,
              std::function<double()> draw,
              std::function<std::string(const std::string& function)> arn_of);
  Deployments(const Deployments&) = delete;
  Deployments& operator=(const Deployments&) = delete;
  ~Deployments() = default;

  // See FindTarget.
  tl::expected<Target, Refusal> find(const std::string& function_name,
                                     const std::optional<std::string>& qualifier);

  // Brings the machine in line with a function that has changed: environments of versions that are
  // no longer what they were are retired, concurrency is set aside. In any order of changes; what
  // counts is what the registry holds now.
  void follow(const std::string& function_name);

  // The code of such versions has changed in place: their next invocation is a cold start.
  void code_changed(const std::function<bool(const registry::FunctionVersion&)>& uses);

  // How far provisioned concurrency of a function's qualifier is. Nothing while it has none.
  std::optional<environment::ProvisionedStatus> provisioned_status(
      const std::string& function_name, const std::string& qualifier) const;

  // How far a published version with SnapStart or on Managed Instances is; nothing for others.
  std::optional<environment::VersionStatus> version_status(const std::string& function_name,
                                                           const std::string& number) const;

 private:
  // What a version came to; made by the first who needs it, awaited by the others.
  struct Deployment {
    std::mutex making;
    environment::Pool::Spec spec;    // guarded by making until `made`, then fixed
    std::atomic<bool> made = false;  // spares those who invoke the mutex
  };
  using SharedDeployment = std::shared_ptr<Deployment>;

  // All of one function; gone with it.
  struct Function {
    std::map<registry::SharedVersion, SharedDeployment> deployments;
    std::map<std::string, Provision> provisions;  // by qualifier
    // By number, of versions that are made ready before they are invoked; nothing where one could
    // not be deployed.
    std::map<std::string, environment::Pool::Spec> ahead;
  };

  tl::expected<environment::Pool::Spec, Refusal> spec_of(const registry::SharedVersion& version);
  environment::Pool::Spec provisioned_spec(const std::string& function_name,
                                           const registry::Resolution& resolution) const;
  void deploy_provisioned(const std::string& function_name);
  void forget_former_versions(const std::string& name, const registry::FunctionRecord* record);
  void follow_provisions(const std::string& name, const registry::FunctionRecord* record);
  void follow_ahead(const std::string& name, const registry::FunctionRecord* record);
  environment::Pool::Spec make_provisioned_spec(const registry::SharedVersion& version);

  const registry::Registry& registry_;
  environment::Pool& pool_;
  const Deploy deploy_;
  const std::function<double()> draw_;
  const std::function<std::string(const std::string&)> arn_of_;

  std::mutex following_;             // one change at a time, so that the last word is the newest
  mutable std::shared_mutex mutex_;  // guards what follows
  std::map<std::string, Function, std::less<>> functions_;
};

}  // namespace emulator::invoke
