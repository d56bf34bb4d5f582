// The way that a streamed response takes from the runtime to the caller while it arrives: a pipe of
// bounded size. A caller that reads slowly thereby slows the runtime down, and memory does not
// depend on the length of a response.
//
// The thread that serves the runtime's call writes, another one reads. Any thread may end it.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace runtime_api {

// What may wait in a stream for its reader. Our choice: a socket buffer's worth, enough to keep
// both threads busy, and at 2 MB/s no more than 32 ms of the function's output.
inline constexpr std::size_t kMaxWaitingStreamBytes = std::size_t{64} * 1024;

class ResponseStream {
 public:
  ResponseStream() = default;
  ResponseStream(const ResponseStream&) = delete;
  ResponseStream& operator=(const ResponseStream&) = delete;
  ~ResponseStream() = default;

  enum class Accepted { yes, ended };

  // ---- The writing side.

  // A streamed response has begun to arrive; before its first byte. Once; a second call and one
  // after the end change nothing.
  void begin(std::string_view content_type);

  // Blocks until all of `bytes` is in the pipe, or the stream has ended; then the rest is dropped.
  Accepted write(std::string_view bytes);

  // ---- The reading side.

  // Blocks until a response begins: its content type. Nothing: the stream ended before.
  std::optional<std::string> await_begin();

  // Blocks until there are bytes, and puts all that wait in the place of what `into` holds, whose
  // memory it takes over. False, and `into` empty: the stream has ended and is drained.
  bool read(std::string& into);

  // ---- Anybody, more than once.

  // Nothing more is accepted; what waits can still be read.
  void end();

 private:
  std::mutex mutex_;  // guards everything below
  std::condition_variable readable_;
  std::condition_variable writable_;
  std::optional<std::string> content_type_;  // nothing: not begun
  std::string waiting_;
  bool ended_ = false;
};

}  // namespace runtime_api
