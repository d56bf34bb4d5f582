#include "emulator/registry/registry.h"

#include "emulator/registry/stored_function.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::registry {
namespace {

constexpr std::string_view kFunctions = "functions";
constexpr std::string_view kVersions = "versions";

constexpr ResourceKind kResourceKinds[] = {ResourceKind::layer_version,
                                           ResourceKind::event_source_mapping,
                                           ResourceKind::code_signing_config,
                                           ResourceKind::capacity_provider,
                                           ResourceKind::layer_counter};

std::string table_of(ResourceKind kind) {
  switch (kind) {
    case ResourceKind::layer_version:
      return "layer_versions";
    case ResourceKind::event_source_mapping:
      return "event_source_mappings";
    case ResourceKind::code_signing_config:
      return "code_signing_configs";
    case ResourceKind::capacity_provider:
      return "capacity_providers";
    case ResourceKind::layer_counter:
      return "layer_counters";
  }
  return {};
}

std::string version_key(const FunctionVersion& version) {
  return version.function_name + ":" + version.number;
}

void add_version_changes(const SharedVersion& before,
                         const SharedVersion& after,
                         state::Changes& changes) {
  if (before == after) return;
  const auto& named = after ? *after : *before;
  std::optional<std::string> text;
  if (after) text = stored_version(*after);
  changes.push_back({std::string(kVersions), version_key(named), std::move(text)});
}

// What has to be written so that `after` stands in place of `before`; either may be nullptr.
state::Changes changes_between(const FunctionRecord* before, const FunctionRecord* after) {
  static const FunctionRecord kNothing;
  const auto& old_record = before != nullptr ? *before : kNothing;
  const auto& new_record = after != nullptr ? *after : kNothing;
  state::Changes changes;
  std::optional<std::string> text;
  if (after != nullptr) text = stored_record(*after);
  const auto& name = after != nullptr ? after->name : before->name;
  changes.push_back({std::string(kFunctions), name, std::move(text)});
  add_version_changes(old_record.latest, new_record.latest, changes);
  add_version_changes(old_record.latest_published, new_record.latest_published, changes);
  for (const auto& [number, version] : new_record.published) {
    const auto old = old_record.published.find(number);
    add_version_changes(
        old == old_record.published.end() ? nullptr : old->second, version, changes);
  }
  for (const auto& [number, version] : old_record.published) {
    if (!new_record.published.contains(number)) add_version_changes(version, nullptr, changes);
  }
  return changes;
}

// Layers are kept as a package's hash and what the API answers; other resources name none.
std::vector<std::string> packages_of(ResourceKind kind, const std::string& text) {
  if (kind != ResourceKind::layer_version) return {};
  const auto json = nlohmann::json::parse(text, nullptr, false);
  auto package = json.is_object() ? json.value("package", "") : "";
  if (package.empty()) return {};
  return {std::move(package)};
}

RegistryError damaged(std::string_view what, std::string_view why) {
  return {RegistryError::Kind::store,
          "the state folder's record of " + std::string(what) + " cannot be read (" +
              std::string(why) + "); restore the folder from a copy, or begin with an empty one"};
}

}  // namespace

tl::expected<std::unique_ptr<Registry>, RegistryError> Registry::open(state::Store& store) {
  std::unique_ptr<Registry> registry(new Registry(store));
  if (auto loaded = registry->load(); !loaded) return tl::unexpected(std::move(loaded.error()));
  return registry;
}

tl::expected<void, RegistryError> Registry::load() {
  std::optional<RegistryError> failure;
  const auto read = [&](std::string_view table, auto&& see) -> bool {
    const auto done = store_.each(table, [&](std::string_view key, std::string_view text) {
      if (!failure) see(key, text);
    });
    if (!done) failure = RegistryError{RegistryError::Kind::store, done.error().message};
    return !failure;
  };
  std::map<std::string, FunctionRecord, std::less<>> records;
  const bool complete =
      read(kFunctions,
           [&](std::string_view name, std::string_view text) {
             auto record = read_record(name, text);
             if (!record) {
               failure = damaged(name, record.error());
             } else {
               records.emplace_hint(records.end(), name, std::move(*record));
             }
           }) &&
      read(kVersions, [&](std::string_view key, std::string_view text) {
        auto version = read_version(text);
        if (!version) {
          failure = damaged(key, version.error());
          return;
        }
        const auto found = records.find(version->function_name);
        if (found == records.end()) return;
        auto shared = std::make_shared<const FunctionVersion>(std::move(*version));
        if (shared->number == "$LATEST") {
          found->second.latest = std::move(shared);
        } else if (shared->number == "$LATEST.PUBLISHED") {
          found->second.latest_published = std::move(shared);
        } else {
          found->second.published.emplace(std::stoll(shared->number), std::move(shared));
        }
      });
  if (!complete) return tl::unexpected(std::move(*failure));
  for (const auto kind : kResourceKinds) {
    auto& resources = resources_[kind];
    if (!read(table_of(kind), [&](std::string_view key, std::string_view text) {
          const auto at = resources.emplace_hint(resources.end(), key, text);
          use_packages(packages_of(kind, at->second));
        })) {
      return tl::unexpected(std::move(*failure));
    }
  }
  for (auto& [name, record] : records) {
    if (!record.latest) return tl::unexpected(damaged(name, "its $LATEST is missing"));
    use_packages(record.packages());
    functions_.emplace_hint(
        functions_.end(), name, std::make_shared<const FunctionRecord>(std::move(record)));
  }
  return {};
}

SharedFunction Registry::find(std::string_view name) const {
  const std::shared_lock lock(mutex_);
  const auto found = functions_.find(name);
  return found == functions_.end() ? nullptr : found->second;
}

std::vector<SharedFunction> Registry::list(std::string_view after, std::size_t limit) const {
  std::vector<SharedFunction> listed;
  const std::shared_lock lock(mutex_);
  auto at = after.empty() ? functions_.begin() : functions_.upper_bound(after);
  for (; at != functions_.end() && listed.size() < limit; ++at) listed.push_back(at->second);
  return listed;
}

std::size_t Registry::size() const {
  const std::shared_lock lock(mutex_);
  return functions_.size();
}

tl::expected<void, RegistryError> Registry::keep(const state::Changes& changes) {
  auto kept = store_.commit(changes);
  if (kept) return {};
  return tl::unexpected(RegistryError{RegistryError::Kind::store, std::move(kept.error().message)});
}

tl::expected<SharedFunction, RegistryError> Registry::create(FunctionRecord record) {
  auto created = std::make_shared<const FunctionRecord>(std::move(record));
  {
    const std::lock_guard order(writing_);
    if (find(created->name)) {
      return tl::unexpected(RegistryError{RegistryError::Kind::exists,
                                          "there is a function " + created->name + " already"});
    }
    if (auto kept = keep(changes_between(nullptr, created.get())); !kept) {
      return tl::unexpected(std::move(kept.error()));
    }
    const std::unique_lock lock(mutex_);
    functions_[created->name] = created;
    use_packages(created->packages());
  }
  if (changed_) changed_(nullptr, created);
  return created;
}

tl::expected<SharedFunction, RegistryError> Registry::replace(const SharedFunction& base,
                                                              FunctionRecord record) {
  auto changed = std::make_shared<const FunctionRecord>(std::move(record));
  {
    const std::lock_guard order(writing_);
    if (find(base->name) != base) {
      return tl::unexpected(RegistryError{
          RegistryError::Kind::changed,
          "function " + base->name + " was changed meanwhile; read it and try again"});
    }
    if (auto kept = keep(changes_between(base.get(), changed.get())); !kept) {
      return tl::unexpected(std::move(kept.error()));
    }
    const std::unique_lock lock(mutex_);
    functions_[changed->name] = changed;
    use_packages(changed->packages());
    release_packages(base->packages());
  }
  if (changed_) changed_(base, changed);
  return changed;
}

tl::expected<void, RegistryError> Registry::remove(const SharedFunction& base) {
  {
    const std::lock_guard order(writing_);
    if (find(base->name) != base) {
      return tl::unexpected(RegistryError{
          RegistryError::Kind::changed,
          "function " + base->name + " was changed meanwhile; read it and try again"});
    }
    if (auto kept = keep(changes_between(base.get(), nullptr)); !kept) return kept;
    const std::unique_lock lock(mutex_);
    functions_.erase(base->name);
    release_packages(base->packages());
  }
  if (changed_) changed_(base, nullptr);
  return {};
}

std::optional<std::string> Registry::resource(ResourceKind kind, std::string_view key) const {
  const std::shared_lock lock(mutex_);
  const auto& resources = resources_.at(kind);
  const auto found = resources.find(key);
  if (found == resources.end()) return std::nullopt;
  return found->second;
}

std::vector<std::pair<std::string, std::string>> Registry::resources(ResourceKind kind,
                                                                     std::string_view after,
                                                                     std::size_t limit) const {
  std::vector<std::pair<std::string, std::string>> listed;
  const std::shared_lock lock(mutex_);
  const auto& resources = resources_.at(kind);
  auto at = after.empty() ? resources.begin() : resources.upper_bound(after);
  for (; at != resources.end() && listed.size() < limit; ++at) listed.emplace_back(*at);
  return listed;
}

tl::expected<void, RegistryError> Registry::put_resource(ResourceKind kind,
                                                         std::string_view key,
                                                         const std::optional<std::string>& base,
                                                         std::string text) {
  const std::lock_guard order(writing_);
  if (resource(kind, key) != base) {
    return tl::unexpected(
        RegistryError{base ? RegistryError::Kind::changed : RegistryError::Kind::exists,
                      std::string(key) + " was made or changed meanwhile; read it and try again"});
  }
  if (auto kept = keep({{table_of(kind), std::string(key), text}}); !kept) return kept;
  const std::unique_lock lock(mutex_);
  use_packages(packages_of(kind, text));
  if (base) release_packages(packages_of(kind, *base));
  resources_.at(kind)[std::string(key)] = std::move(text);
  return {};
}

tl::expected<void, RegistryError> Registry::remove_resource(ResourceKind kind,
                                                            std::string_view key) {
  const std::lock_guard order(writing_);
  if (auto kept = keep({{table_of(kind), std::string(key), std::nullopt}}); !kept) return kept;
  const std::unique_lock lock(mutex_);
  auto& resources = resources_.at(kind);
  const auto found = resources.find(key);
  if (found == resources.end()) return {};
  release_packages(packages_of(kind, found->second));
  resources.erase(found);
  return {};
}

std::set<std::string> Registry::named_packages() const {
  std::set<std::string> packages;
  const std::shared_lock lock(mutex_);
  for (const auto& [package, _] : package_users_) packages.insert(package);
  return packages;
}

bool Registry::names_package(const std::string& sha256_hex) const {
  const std::shared_lock lock(mutex_);
  return package_users_.contains(sha256_hex);
}

void Registry::use_packages(const std::vector<std::string>& packages) {
  for (const auto& package : packages) ++package_users_[package];
}

void Registry::release_packages(const std::vector<std::string>& packages) {
  for (const auto& package : packages) {
    const auto users = package_users_.find(package);
    if (users != package_users_.end() && --users->second == 0) package_users_.erase(users);
  }
}

}  // namespace emulator::registry
