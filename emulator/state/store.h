// What must outlive the process: documents, each a value under a key in a table.
//
// On disk they lie in one SQLite database in a folder that one process holds at a time:
//
//   lock        held while the store is open
//   hearth.db   the documents, and beside it SQLite's own hearth.db-wal and hearth.db-shm
//
// What a commit promises: once it has returned, the kernel has its documents, so no end of this
// process can lose them, kill -9 included. It does not wait for the disk (SQLite's write-ahead log
// with synchronous=NORMAL): after a power cut or a crash of the kernel the last commits may be
// missing, the newest first and each of them whole; what is left is consistent.
#pragma once

#include <tl/expected.hpp>

#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace emulator::state {

// Table, key and value of one document together. Our choice: far above the largest event (1 MiB),
// and far below what SQLite takes in one row (1,000,000,000 bytes), so that one document cannot
// keep the commits of all others waiting for seconds.
inline constexpr std::size_t kMaxDocumentBytes = std::size_t{64} << 20;

struct StoreError {
  enum class Kind {
    in_use,   // another store holds the folder
    damaged,  // not a database of Hearth's, or not one that this Hearth can read
    host,     // this machine refused, or a limit above; the sentence has its reason
  };
  Kind kind;
  std::string message;  // what, where and how to mend it
};

// One document set or (nullopt) removed.
struct Change {
  std::string table;
  std::string key;
  std::optional<std::string> value;
};
using Changes = std::vector<Change>;

// Threads: any, but for destruction.
class Store {
 public:
  Store() = default;
  Store(const Store&) = delete;
  Store& operator=(const Store&) = delete;
  virtual ~Store() = default;

  // All of them or none, in order; to remove what is not there is no error. When it returns, a
  // kill -9 of this process loses none of it. After an error none of it is kept, and the store can
  // be used as before: the next commit may succeed, such as when a full disk has room again.
  virtual tl::expected<void, StoreError> commit(const Changes& changes) = 0;

  // Calls `see` for each document of the table in the order of keys (bytewise). `see` must not use
  // the store; what it is given is gone when it returns. Commits of other threads wait meanwhile.
  virtual tl::expected<void, StoreError> each(
      std::string_view table,
      const std::function<void(std::string_view key, std::string_view value)>& see) const = 0;

  // Whether anything outlives this process: false of a store in memory.
  virtual bool durable() const = 0;
};

// Keeps nothing: what uses it holds its documents in memory anyway.
std::unique_ptr<Store> store_in_memory();

// Opens the documents in `folder`, which is made with mode 0700 if it is missing; files are made
// with mode 0600. Refuses a folder that another store holds, in this process or in another; a
// database made by a newer Hearth or by another program; and a damaged one.
tl::expected<std::unique_ptr<Store>, StoreError> open_store(const std::filesystem::path& folder);

}  // namespace emulator::state
