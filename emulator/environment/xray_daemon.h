// The address inside an environment where AWS's X-Ray SDK sends its segments, a datagram each.
#pragma once

#include "emulator/environment/output_pump.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

namespace emulator::environment {

// Where the service has it. Source: recorded from provided.al2023, 2026-01. In the host's network,
// which others share, it is a free port.
inline constexpr std::uint16_t kXRayPort = 2000;

// Read at a time before others have their turn on the pump's thread. Our choice: a function that
// floods its daemon keeps the output of others waiting for some milliseconds at the most.
inline constexpr int kMaxDatagramsInARow = 16;

// Any thread. What a datagram says is not looked at here.
class XRayDaemon {
 public:
  // On the pump's thread or that of drain(), also at once; the view is good for the call.
  using Take = std::function<void(std::string_view datagram)>;

  // Listens from now on. `pump` must outlive it. Throws std::system_error where the host refuses
  // the pump a further watch.
  static tl::expected<std::unique_ptr<XRayDaemon>, sandbox::SandboxError> open(
      sandbox::Sandbox& sandbox, OutputPump& pump, Take take);

  XRayDaemon(const XRayDaemon&) = delete;
  XRayDaemon& operator=(const XRayDaemon&) = delete;
  ~XRayDaemon();  // waits for a call of `take`; not on the pump's thread

  // Hands over what came until now, and at most kMaxDatagramsInARow.
  void drain();

  // As processes inside reach it.
  const std::string& address() const { return address_; }
  std::uint16_t port() const { return port_; }

 private:
  XRayDaemon(sandbox::UniqueFd socket, std::string address, OutputPump& pump, Take take);

  sandbox::UniqueFd socket_;
  const std::string address_;
  std::uint16_t port_ = 0;
  OutputPump& pump_;
  const Take take_;
  OutputPump::WatchId watch_{};
};

}  // namespace emulator::environment
