#include "emulator/state/store.h"

#include "emulator/state/document_database.h"
#include "emulator/state/folder_lock.h"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace emulator::state {
namespace {

using Done = tl::expected<void, StoreError>;

class MemoryStore : public Store {
 public:
  Done commit(const Changes&) override { return {}; }
  Done each(std::string_view,
            const std::function<void(std::string_view, std::string_view)>&) const override {
    return {};
  }
  bool durable() const override { return false; }
};

Done check(const Changes& changes) {
  for (const auto& change : changes) {
    const auto size =
        change.table.size() + change.key.size() + (change.value ? change.value->size() : 0);
    if (size <= kMaxDocumentBytes) continue;
    return tl::unexpected(StoreError{StoreError::Kind::host,
                                     "the document '" + change.key.substr(0, 200) +
                                         "' of the table '" + change.table.substr(0, 200) +
                                         "' has " + std::to_string(size) +
                                         " bytes, and the state keeps documents of at most " +
                                         std::to_string(kMaxDocumentBytes) + "; make it smaller"});
  }
  return {};
}

// Of several threads that commit at the same time one writes for all that wait, in one transaction:
// what a commit costs is mostly the transaction. The database is in the hands of the one thread
// that has set `busy_`, so the mutex need not be held while it works.
class DiskStore : public Store {
 public:
  DiskStore(std::unique_ptr<FolderLock> lock, std::unique_ptr<DocumentDatabase> database)
      : lock_(std::move(lock)), database_(std::move(database)) {}

  Done commit(const Changes& changes) override {
    if (auto sound = check(changes); !sound) return sound;
    if (changes.empty()) return {};
    Waiting mine{changes};
    std::unique_lock lock(mutex_);
    queue_.push_back(&mine);
    mine.wake.wait(lock, [&] { return mine.finished || !busy_; });
    if (mine.finished) return std::move(mine.result);
    busy_ = true;
    const auto group = std::exchange(queue_, {});  // with `mine`
    lock.unlock();
    write(group);
    lock.lock();
    for (auto* const waiting : group) {
      waiting->finished = true;
      waiting->wake.notify_one();
    }
    give_up_turn();
    return std::move(mine.result);
  }

  Done each(std::string_view table,
            const std::function<void(std::string_view, std::string_view)>& see) const override {
    const Turn turn(*this);
    return database_->each(table, see);
  }

  bool durable() const override { return true; }

 private:
  struct Waiting {
    explicit Waiting(const Changes& changes_in) : changes(changes_in) {}
    const Changes& changes;
    Done result = {};
    bool finished = false;
    // Its own, so that the end of a group wakes whom it concerns and no other.
    std::condition_variable wake = {};
  };

  // Has the database until its end, also when what is called with it throws.
  class Turn {
   public:
    explicit Turn(const DiskStore& store) : store_(store) {
      std::unique_lock lock(store_.mutex_);
      store_.free_.wait(lock, [this] { return !store_.busy_; });
      store_.busy_ = true;
    }
    ~Turn() {
      const std::lock_guard lock(store_.mutex_);
      store_.give_up_turn();
    }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    Turn(Turn&&) = delete;
    Turn& operator=(Turn&&) = delete;

   private:
    const DiskStore& store_;
  };

  // With the mutex held. One who reads and one who commits are woken; the slower waits again.
  void give_up_turn() const {
    busy_ = false;
    free_.notify_one();
    if (!queue_.empty()) queue_.front()->wake.notify_one();
  }

  Done write_together(const std::vector<Waiting*>& group) {
    auto done = database_->begin();
    for (auto at = group.begin(); done && at != group.end(); ++at) {
      done = database_->apply((*at)->changes);
    }
    if (done) done = database_->commit();
    if (!done) database_->roll_back();
    return done;
  }

  void write(const std::vector<Waiting*>& group) {
    auto together = write_together(group);
    if (together) return;
    if (group.size() == 1) {
      group.front()->result = std::move(together);
      return;
    }
    // Whose fault it was does not matter: each has a transaction of its own now.
    for (auto* const waiting : group) waiting->result = write_together({waiting});
  }

  const std::unique_ptr<FolderLock> lock_;            // given back last
  const std::unique_ptr<DocumentDatabase> database_;  // belongs to who has set `busy_`
  mutable std::mutex mutex_;                          // guards what follows
  mutable std::condition_variable free_;              // for who reads
  mutable bool busy_ = false;
  std::vector<Waiting*> queue_;
};

}  // namespace

std::unique_ptr<Store> store_in_memory() { return std::make_unique<MemoryStore>(); }

tl::expected<std::unique_ptr<Store>, StoreError> open_store(const std::filesystem::path& folder) {
  auto lock = FolderLock::acquire(folder);
  if (!lock) return tl::unexpected(std::move(lock.error()));
  auto database = DocumentDatabase::open(folder / "hearth.db");
  if (!database) return tl::unexpected(std::move(database.error()));
  return std::make_unique<DiskStore>(std::move(*lock), std::move(*database));
}

}  // namespace emulator::state
