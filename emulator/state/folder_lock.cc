// The lock is one of the process (fcntl's record lock), not one of the open file (flock): a child
// that has been cloned and has not yet executed its program shares the open files, and would keep
// the folder for a moment after a kill -9 of Hearth, just when the next Hearth starts on it. The
// kernel also tells who holds a record lock, so no file has to be believed.
//
// Such a lock does not keep the same process out, and is lost with the first close() of any
// descriptor of the file; so a list of what this process holds is asked first, by the file's
// number, without opening it.
#include "emulator/state/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <mutex>
#include <set>
#include <string>
#include <system_error>

namespace emulator::state {
namespace {

namespace fs = std::filesystem;
using Kind = StoreError::Kind;

struct Held {
  std::mutex mutex;  // guards what follows
  std::set<std::pair<dev_t, ino_t>> files;
};

// Of the whole process, as the kernel's locks are. Never destroyed: a store may outlive it.
Held& held() {
  static auto* const kHeld = new Held;
  return *kHeld;
}

tl::unexpected<StoreError> refuse(Kind kind, std::string message) {
  return tl::unexpected(StoreError{kind, std::move(message)});
}

tl::unexpected<StoreError> host_error(const fs::path& path, std::string_view act, int number) {
  return refuse(Kind::host,
                "cannot " + std::string(act) + " " + path.string() + ": " +
                    std::generic_category().message(number) +
                    "; let this user write to the folder, or choose another --state-dir");
}

tl::unexpected<StoreError> in_use(const fs::path& folder, pid_t holder) {
  const auto who = holder > 0 ? " (process " + std::to_string(holder) + ")" : std::string();
  return refuse(Kind::in_use,
                "the state folder " + folder.string() + " is in use by another Hearth" + who +
                    "; stop it, or choose another --state-dir");
}

struct flock whole_file() {
  struct flock lock {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  return lock;
}

// 0 when nobody holds it any more or the kernel cannot tell, such as in another PID namespace.
pid_t holder_of(int descriptor) {
  auto lock = whole_file();
  if (::fcntl(descriptor, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) return 0;
  return lock.l_pid;
}

}  // namespace

tl::expected<std::unique_ptr<FolderLock>, StoreError> FolderLock::acquire(const fs::path& path) {
  const auto folder = path.has_filename() ? path : path.parent_path();  // no slash at its end
  std::error_code failed;
  // Folders above it, if they are missing, are nobody's secret.
  if (folder.has_parent_path()) fs::create_directories(folder.parent_path(), failed);
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return host_error(folder, "make the state folder", errno);
  }
  const auto file = folder / "lock";
  auto& all = held();
  const std::lock_guard guard(all.mutex);
  struct stat status {};
  if (::stat(file.c_str(), &status) == 0 && all.files.contains({status.st_dev, status.st_ino})) {
    return in_use(folder, ::getpid());
  }
  const int descriptor = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor < 0) return host_error(file, "open", errno);
  auto lock = whole_file();
  if (::fcntl(descriptor, F_SETLK, &lock) != 0 || ::fstat(descriptor, &status) != 0) {
    const int number = errno;
    const auto holder = holder_of(descriptor);
    ::close(descriptor);
    if (number == EACCES || number == EAGAIN) return in_use(folder, holder);
    return host_error(file, "lock", number);
  }
  const File number{status.st_dev, status.st_ino};
  all.files.insert(number);
  return std::unique_ptr<FolderLock>(new FolderLock(descriptor, number));
}

FolderLock::~FolderLock() {
  auto& all = held();
  const std::lock_guard guard(all.mutex);
  ::close(descriptor_);
  all.files.erase(file_);
}

}  // namespace emulator::state
