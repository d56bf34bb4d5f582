// A store whose documents outlive those who use it, though not the test: it says that it is
// durable, and keeps what was committed. It records how many commits there were, and refuses them
// when told to. Any thread.
#pragma once

#include "emulator/state/store.h"

#include <map>
#include <mutex>
#include <string>
#include <utility>

namespace tests {

class DocumentsInMemory final : public emulator::state::Store {
 public:
  using Table = std::map<std::string, std::string, std::less<>>;

  tl::expected<void, emulator::state::StoreError> commit(
      const emulator::state::Changes& changes) override {
    const std::lock_guard lock(mutex_);
    if (refusing_) {
      return tl::unexpected(emulator::state::StoreError{emulator::state::StoreError::Kind::host,
                                                        "the disk is full; make room"});
    }
    for (const auto& change : changes) {
      if (change.value) {
        tables_[change.table][change.key] = *change.value;
      } else {
        tables_[change.table].erase(change.key);
      }
    }
    ++commits_;
    return {};
  }

  tl::expected<void, emulator::state::StoreError> each(
      std::string_view table,
      const std::function<void(std::string_view, std::string_view)>& see) const override {
    const std::lock_guard lock(mutex_);
    if (const auto found = tables_.find(table); found != tables_.end()) {
      for (const auto& [key, value] : found->second) see(key, value);
    }
    return {};
  }

  bool durable() const override { return true; }

  Table table(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = tables_.find(name);
    return found == tables_.end() ? Table() : found->second;
  }

  std::size_t commits() const {
    const std::lock_guard lock(mutex_);
    return commits_;
  }

  enum class Answers { accept, refuse };
  void answer(Answers answers) {
    const std::lock_guard lock(mutex_);
    refusing_ = answers == Answers::refuse;
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, Table, std::less<>> tables_;
  std::size_t commits_ = 0;
  bool refusing_ = false;
};

}  // namespace tests
