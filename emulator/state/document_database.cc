#include "emulator/state/document_database.h"

#include <sqlite3.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <system_error>
#include <utility>

namespace emulator::state {
namespace {

namespace fs = std::filesystem;
using Kind = StoreError::Kind;
using Done = DocumentDatabase::Done;

// "HRTH": tells a database of ours from one of another program (PRAGMA application_id).
constexpr int kApplicationId = 0x48525448;
// Our choice: how long another program that looks into the database may keep a commit waiting.
constexpr std::chrono::milliseconds kForeignReaderWait{5000};

std::string_view bytes_of(sqlite3_stmt* row, int column) {
  // In this order, for the first call may move the bytes that the second counts.
  const void* const bytes = ::sqlite3_column_blob(row, column);
  const auto size = static_cast<std::size_t>(::sqlite3_column_bytes(row, column));
  return size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(bytes), size);
}

// The bytes must live until the statement has run.
int bind_text(sqlite3_stmt* statement, int place, std::string_view text) {
  const char* const bytes = text.empty() ? "" : text.data();
  return ::sqlite3_bind_text64(statement, place, bytes, text.size(), SQLITE_STATIC, SQLITE_UTF8);
}

int bind_blob(sqlite3_stmt* statement, int place, std::string_view blob) {
  const char* const bytes = blob.empty() ? "" : blob.data();
  return ::sqlite3_bind_blob64(statement, place, bytes, blob.size(), SQLITE_STATIC);
}

// A statement that was begun holds a lock until it is reset.
class ResetAtEnd {
 public:
  explicit ResetAtEnd(sqlite3_stmt* statement) : statement_(statement) {}
  ~ResetAtEnd() {
    ::sqlite3_reset(statement_);
    ::sqlite3_clear_bindings(statement_);
  }
  ResetAtEnd(const ResetAtEnd&) = delete;
  ResetAtEnd& operator=(const ResetAtEnd&) = delete;
  ResetAtEnd(ResetAtEnd&&) = delete;
  ResetAtEnd& operator=(ResetAtEnd&&) = delete;

 private:
  sqlite3_stmt* statement_;
};

std::string advice(int code) {
  switch (code & 0xff) {
    case SQLITE_FULL:
      return "make room on its disk, or choose a --state-dir on another";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program is using the database; close it there";
    case SQLITE_NOMEM:
      return "end what needs the machine's memory, and try again";
    default:
      return "see that this user may write to the folder and all files in it, or choose another "
             "--state-dir";
  }
}

}  // namespace

void DocumentDatabase::Close::operator()(sqlite3* connection) const { ::sqlite3_close(connection); }
void DocumentDatabase::Finalize::operator()(sqlite3_stmt* statement) const {
  ::sqlite3_finalize(statement);
}

StoreError DocumentDatabase::damaged(std::string reason) const {
  return {
      Kind::damaged,
      "the state in " + file_.string() + " cannot be used: " + std::move(reason) +
          "; choose another --state-dir, bring back a copy, or remove the folder to begin anew"};
}

StoreError DocumentDatabase::error(int code) const {
  const int kind = code & 0xff;
  if (kind == SQLITE_NOTADB) return damaged("it is not a database");
  if (kind == SQLITE_CORRUPT) return damaged("the database is damaged");
  std::string reason = ::sqlite3_errstr(code);
  const int number = connection_ ? ::sqlite3_system_errno(connection_.get()) : 0;
  if (number != 0 && (kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN || kind == SQLITE_FULL)) {
    reason += " (" + std::generic_category().message(number) + ")";
  }
  return {Kind::host,
          "cannot use the state in " + file_.string() + ": " + reason + "; " + advice(code)};
}

tl::expected<std::unique_ptr<DocumentDatabase>, StoreError> DocumentDatabase::open(
    const fs::path& file) {
  std::unique_ptr<DocumentDatabase> database(new DocumentDatabase(file));
  auto done = database->connect();
  if (done) done = database->check_origin();
  if (done) done = database->prepare();
  if (!done) return tl::unexpected(std::move(done.error()));
  return database;
}

Done DocumentDatabase::connect() {
  // SQLite would make it readable for everyone; its other files take their mode from this one.
  const int made = ::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (made < 0) {
    return tl::unexpected(StoreError{Kind::host,
                                     "cannot open " + file_.string() + ": " +
                                         std::generic_category().message(errno) + "; " +
                                         advice(SQLITE_CANTOPEN)});
  }
  ::close(made);
  sqlite3* connection = nullptr;
  const int code =
      ::sqlite3_open_v2(file_.c_str(),
                        &connection,
                        SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                        nullptr);
  connection_.reset(connection);
  if (code != SQLITE_OK) return tl::unexpected(error(code));
  ::sqlite3_busy_timeout(connection, static_cast<int>(kForeignReaderWait.count()));
  // The file may be a stranger's: its schema may run nothing, and its pages are doubted.
  ::sqlite3_db_config(connection, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  return run("PRAGMA trusted_schema=OFF; PRAGMA cell_size_check=ON; PRAGMA synchronous=NORMAL;");
}

Done DocumentDatabase::check_origin() {
  const auto version = number("PRAGMA user_version");
  if (!version) return tl::unexpected(version.error());
  const auto application = number("PRAGMA application_id");
  if (!application) return tl::unexpected(application.error());
  const auto objects = number("SELECT count(*) FROM sqlite_schema");
  if (!objects) return tl::unexpected(objects.error());
  if (*version == 0 && *application == 0 && *objects == 0) return make_tables();
  if (*application != kApplicationId) {
    return tl::unexpected(damaged("the database is another program's"));
  }
  if (*version > kDatabaseVersion) {
    return tl::unexpected(damaged("a newer Hearth made it (form " + std::to_string(*version) +
                                  ", and this one knows form " + std::to_string(kDatabaseVersion) +
                                  "), so use that one"));
  }
  const auto sound = number("SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check='ok'");
  if (!sound) return tl::unexpected(sound.error());
  if (*sound != 1) return tl::unexpected(damaged("the database is damaged"));
  return {};
}

// After a kill between the two, the database is as empty as before.
Done DocumentDatabase::make_tables() {
  if (auto done = run("PRAGMA journal_mode=WAL"); !done) return done;
  const auto sql =
      "BEGIN IMMEDIATE;"
      "CREATE TABLE documents(tbl TEXT, key TEXT, value BLOB NOT NULL, PRIMARY KEY(tbl, key))"
      " WITHOUT ROWID;"
      "PRAGMA application_id=" +
      std::to_string(kApplicationId) + ";PRAGMA user_version=" + std::to_string(kDatabaseVersion) +
      ";COMMIT;";
  auto done = run(sql.c_str());
  if (!done) roll_back();
  return done;
}

Done DocumentDatabase::prepare() {
  const std::pair<Statement*, std::string_view> statements[] = {
      {&begin_, "BEGIN IMMEDIATE"},
      {&commit_, "COMMIT"},
      {&set_, "INSERT OR REPLACE INTO documents(tbl, key, value) VALUES(?1, ?2, ?3)"},
      {&remove_, "DELETE FROM documents WHERE tbl=?1 AND key=?2"},
      {&each_, "SELECT key, value FROM documents WHERE tbl=?1 ORDER BY key"},
  };
  for (const auto& [place, sql] : statements) {
    auto made = statement(sql);
    if (!made) return tl::unexpected(std::move(made.error()));
    *place = std::move(*made);
  }
  return {};
}

Done DocumentDatabase::run(const char* sql) {
  const int code = ::sqlite3_exec(connection_.get(), sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return tl::unexpected(error(code));
  return {};
}

tl::expected<DocumentDatabase::Statement, StoreError> DocumentDatabase::statement(
    std::string_view sql) {
  sqlite3_stmt* made = nullptr;
  const int code = ::sqlite3_prepare_v3(connection_.get(),
                                        sql.data(),
                                        static_cast<int>(sql.size()),
                                        SQLITE_PREPARE_PERSISTENT,
                                        &made,
                                        nullptr);
  Statement owned(made);
  // Our own sentences are sound, so the table they speak of is not as we made it.
  if (code == SQLITE_ERROR) {
    return tl::unexpected(damaged(::sqlite3_errmsg(connection_.get())));
  }
  if (code != SQLITE_OK) return tl::unexpected(error(code));
  return owned;
}

tl::expected<int, StoreError> DocumentDatabase::number(std::string_view sql) {
  const auto made = statement(sql);
  if (!made) return tl::unexpected(made.error());
  const int code = ::sqlite3_step(made->get());
  if (code != SQLITE_ROW) return tl::unexpected(error(code));
  return ::sqlite3_column_int(made->get(), 0);
}

Done DocumentDatabase::step(const Statement& statement) {
  const ResetAtEnd reset(statement.get());
  const int code = ::sqlite3_step(statement.get());
  if (code != SQLITE_DONE) return tl::unexpected(error(code));
  return {};
}

Done DocumentDatabase::begin() {
  // A transaction whose roll-back failed would swallow the next one.
  roll_back();
  return step(begin_);
}

Done DocumentDatabase::apply(const Changes& changes) {
  for (const auto& change : changes) {
    const auto& statement = change.value ? set_ : remove_;
    int code = bind_text(statement.get(), 1, change.table);
    if (code == SQLITE_OK) code = bind_text(statement.get(), 2, change.key);
    if (code == SQLITE_OK && change.value) code = bind_blob(statement.get(), 3, *change.value);
    if (code != SQLITE_OK) return tl::unexpected(error(code));
    if (auto done = step(statement); !done) return done;
  }
  return {};
}

Done DocumentDatabase::commit() { return step(commit_); }

void DocumentDatabase::roll_back() {
  // Some errors make SQLite roll back by itself, and then there is nothing left to do.
  if (::sqlite3_get_autocommit(connection_.get()) != 0) return;
  ::sqlite3_exec(connection_.get(), "ROLLBACK", nullptr, nullptr, nullptr);
}

Done DocumentDatabase::each(
    std::string_view table,
    const std::function<void(std::string_view key, std::string_view value)>& see) {
  const ResetAtEnd reset(each_.get());
  int code = bind_text(each_.get(), 1, table);
  if (code != SQLITE_OK) return tl::unexpected(error(code));
  while ((code = ::sqlite3_step(each_.get())) == SQLITE_ROW) {
    see(bytes_of(each_.get(), 0), bytes_of(each_.get(), 1));
  }
  if (code != SQLITE_DONE) return tl::unexpected(error(code));
  return {};
}

}  // namespace emulator::state
