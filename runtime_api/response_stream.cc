#include "runtime_api/response_stream.h"

#include <algorithm>
#include <utility>

namespace runtime_api {

void ResponseStream::begin(std::string_view content_type) {
  {
    const std::lock_guard lock(mutex_);
    if (ended_ || content_type_) return;
    content_type_ = content_type;
  }
  readable_.notify_one();
}

ResponseStream::Accepted ResponseStream::write(std::string_view bytes) {
  std::unique_lock lock(mutex_);
  while (!bytes.empty()) {
    writable_.wait(lock, [this] { return ended_ || waiting_.size() < kMaxWaitingStreamBytes; });
    if (ended_) return Accepted::ended;
    const auto room = std::min(bytes.size(), kMaxWaitingStreamBytes - waiting_.size());
    waiting_.append(bytes.substr(0, room));
    bytes.remove_prefix(room);
    // Without the lock, or the reader would wake only to wait for it.
    lock.unlock();
    readable_.notify_one();
    lock.lock();
  }
  return ended_ ? Accepted::ended : Accepted::yes;
}

std::optional<std::string> ResponseStream::await_begin() {
  std::unique_lock lock(mutex_);
  readable_.wait(lock, [this] { return ended_ || content_type_; });
  return content_type_;
}

bool ResponseStream::read(std::string& into) {
  into.clear();
  {
    std::unique_lock lock(mutex_);
    readable_.wait(lock, [this] { return ended_ || !waiting_.empty(); });
    // Both strings keep their memory and change places, so that nothing is copied or allocated.
    std::swap(into, waiting_);
  }
  writable_.notify_one();
  return !into.empty();
}

void ResponseStream::end() {
  {
    const std::lock_guard lock(mutex_);
    ended_ = true;
  }
  readable_.notify_all();
  writable_.notify_all();
}

}  // namespace runtime_api
