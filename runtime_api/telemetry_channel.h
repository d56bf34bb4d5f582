// Sends one batch of events to a subscriber's listener inside the environment: by HTTP as a JSON
// array, by TCP as one JSON document a line.
//
// A channel knows no clock. Whoever delivers says when it has been patient enough, through an
// Interruption: so time that an environment stands still need not count.
#pragma once

#include "runtime_api/telemetry_subscription.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

namespace runtime_api {

// A connected socket to 127.0.0.1:`port` as the environment's processes see it; the caller owns it.
// Any thread; must not block longer than a limit of its own. The error is a sentence.
using Connect = std::function<tl::expected<int, std::string>(std::uint16_t port)>;

// Ends what waits. Any thread.
class Interruption {
 public:
  // Fails where the process has no descriptor left, with a sentence.
  static tl::expected<std::unique_ptr<Interruption>, std::string> make();
  Interruption(const Interruption&) = delete;
  Interruption& operator=(const Interruption&) = delete;
  ~Interruption();

  void raise() noexcept;  // stays raised until cleared
  void clear() noexcept;
  int descriptor() const { return descriptor_; }  // readable while it is raised

 private:
  explicit Interruption(int descriptor) : descriptor_(descriptor) {}
  const int descriptor_;
};

// Of a subscriber's answer, at most this much is read. Our choice: its status is all that counts.
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{64} * 1024;

// Thread: one at a time.
class TelemetryChannel {
 public:
  TelemetryChannel(Destination destination, Connect connect);
  TelemetryChannel(const TelemetryChannel&) = delete;
  TelemetryChannel& operator=(const TelemetryChannel&) = delete;
  ~TelemetryChannel();

  // Connects, where the connection is kept between batches: by TCP. Does nothing by HTTP, where
  // each batch has a connection of its own: one that idles over a freeze is often a broken one.
  tl::expected<void, std::string> open();

  // Each event is one JSON document without a newline in it. Blocks until the subscriber has the
  // batch: by HTTP it answered 2xx, by TCP the kernel took every byte. Else a sentence why not, and
  // the subscriber may have all, some or nothing of it. Never raises a signal, and ends soon after
  // `interruption` is raised.
  tl::expected<void, std::string> deliver(std::span<const std::string> events,
                                          const Interruption& interruption);

 private:
  class Connection;
  tl::expected<void, std::string> post(std::span<const std::string> events,
                                       const Interruption& interruption);
  tl::expected<void, std::string> write_lines(std::span<const std::string> events,
                                              const Interruption& interruption);

  const Destination destination_;
  const Connect connect_;
  std::unique_ptr<Connection> kept_;  // TCP only
};

}  // namespace runtime_api
