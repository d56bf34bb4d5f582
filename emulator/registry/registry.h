// What exists: functions, and the resources beside them. The one place that says what a name and a
// qualifier mean.
#pragma once

#include "emulator/registry/function_record.h"
#include "emulator/state/store.h"

#include <tl/expected.hpp>

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace emulator::registry {

struct RegistryError {
  enum class Kind {
    exists,   // of create: there is one of that name
    changed,  // somebody else changed it since it was read
    store,    // what must outlive the process could not be kept; nothing has changed
  };
  Kind kind;
  std::string message;
};

// Resources that are kept as the JSON text that the Lambda API answers with.
enum class ResourceKind {
  layer_version,         // key: name#number, zero-padded to sort by number
  event_source_mapping,  // key: UUID
  code_signing_config,   // key: ARN
  capacity_provider,     // key: ARN
  layer_counter,         // key: layer's name; the last number that was given
};

// Tells the machine that a function is not what it was. `before` is nullptr for a new one, `after`
// for one that is gone.
using FunctionChanged =
    std::function<void(const SharedFunction& before, const SharedFunction& after)>;

// Any thread. Reading never waits for the store.
class Registry {
 public:
  // Reads what the store holds, which must outlive the registry.
  static tl::expected<std::unique_ptr<Registry>, RegistryError> open(state::Store& store);
  Registry(const Registry&) = delete;
  Registry& operator=(const Registry&) = delete;
  ~Registry() = default;

  // `changed` is called after each change, by the thread that made it, with no lock held; two
  // changes may be told in another order than they were made, so who follows reads again. Set once,
  // before anything is changed; what it refers to must outlive the registry.
  void on_change(FunctionChanged changed) { changed_ = std::move(changed); }

  // nullptr: no such function.
  SharedFunction find(std::string_view name) const;

  // In the order of names, those after `after`.
  std::vector<SharedFunction> list(std::string_view after, std::size_t limit) const;
  std::size_t size() const;

  // All or nothing, on disk before it is seen by anyone.
  tl::expected<SharedFunction, RegistryError> create(FunctionRecord record);
  // In place of `base`, if that is what is there still.
  tl::expected<SharedFunction, RegistryError> replace(const SharedFunction& base,
                                                      FunctionRecord record);
  tl::expected<void, RegistryError> remove(const SharedFunction& base);

  std::optional<std::string> resource(ResourceKind kind, std::string_view key) const;
  // (key, text) in the order of keys, those after `after`.
  std::vector<std::pair<std::string, std::string>> resources(ResourceKind kind,
                                                             std::string_view after = {},
                                                             std::size_t limit = SIZE_MAX) const;
  // `base`: the text that it must still have; nullopt: it must not be there yet.
  tl::expected<void, RegistryError> put_resource(ResourceKind kind,
                                                 std::string_view key,
                                                 const std::optional<std::string>& base,
                                                 std::string text);
  tl::expected<void, RegistryError> remove_resource(ResourceKind kind, std::string_view key);

  // Content hashes of all packages that a version or a layer names.
  std::set<std::string> named_packages() const;
  bool names_package(const std::string& sha256_hex) const;

 private:
  explicit Registry(state::Store& store) : store_(store) {}
  using Resources = std::map<std::string, std::string, std::less<>>;

  tl::expected<void, RegistryError> load();
  tl::expected<void, RegistryError> keep(const state::Changes& changes);
  // With mutex_ held.
  void use_packages(const std::vector<std::string>& packages);
  void release_packages(const std::vector<std::string>& packages);

  state::Store& store_;
  FunctionChanged changed_;
  std::mutex writing_;               // one change at a time; held over the store's commit
  mutable std::shared_mutex mutex_;  // guards what follows
  std::map<std::string, SharedFunction, std::less<>> functions_;
  std::map<ResourceKind, Resources> resources_;
  std::map<std::string, std::size_t> package_users_;  // hash → versions and layers that name it
};

}  // namespace emulator::registry
