// The SQLite database of a store: its connection and its statements. Used by store.cc only.
#pragma once

#include "emulator/state/store.h"

#include <tl/expected.hpp>

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace emulator::state {

// The form of the database that this Hearth writes (PRAGMA user_version). Ours.
inline constexpr int kDatabaseVersion = 1;

// One thread at a time.
class DocumentDatabase {
 public:
  using Done = tl::expected<void, StoreError>;

  // Makes the file, with mode 0600, if it is missing. Whoever opens it holds the folder.
  static tl::expected<std::unique_ptr<DocumentDatabase>, StoreError> open(
      const std::filesystem::path& file);

  DocumentDatabase(const DocumentDatabase&) = delete;
  DocumentDatabase& operator=(const DocumentDatabase&) = delete;
  ~DocumentDatabase() = default;

  // One transaction around apply(): begin, then commit or roll_back. To begin again or to roll
  // back what SQLite has already rolled back is well.
  Done begin();
  Done apply(const Changes& changes);
  Done commit();
  void roll_back();

  Done each(std::string_view table,
            const std::function<void(std::string_view key, std::string_view value)>& see);

 private:
  struct Close {
    void operator()(sqlite3* connection) const;
  };
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const;
  };
  using Statement = std::unique_ptr<sqlite3_stmt, Finalize>;

  explicit DocumentDatabase(std::filesystem::path file) : file_(std::move(file)) {}

  Done connect();
  Done check_origin();
  Done make_tables();
  Done prepare();
  Done run(const char* sql);
  tl::expected<Statement, StoreError> statement(std::string_view sql);
  tl::expected<int, StoreError> number(std::string_view sql);
  // Runs a statement whose values are bound, and makes it ready for the next time.
  Done step(const Statement& statement);
  StoreError error(int code) const;
  StoreError damaged(std::string reason) const;

  const std::filesystem::path file_;
  std::unique_ptr<sqlite3, Close> connection_;  // outlives its statements
  Statement begin_;
  Statement commit_;
  Statement set_;
  Statement remove_;
  Statement each_;
};

}  // namespace emulator::state
