// What carries the traffic of a sandbox's own network outwards: a pasta process beside it. Nothing
// comes in, and the host's loopback is not reached. Link-local addresses, where clouds keep their
// metadata, are the loopback's in the sandbox; see namespace_setup.cc.
#pragma once

#include "emulator/sandbox/child_process.h"
#include "emulator/sandbox/guardian.h"
#include "emulator/sandbox/sandbox.h"
#include "emulator/sandbox/unique_fd.h"

#include <tl/expected.hpp>

#include <sys/types.h>

#include <memory>
#include <string>
#include <utility>

namespace emulator::sandbox {

// Where the sandbox asks for names; queries to it go to the first name server of the host. Our
// choice, of the addresses that are nobody's. Source: RFC 5737, TEST-NET-3.
inline constexpr const char* kForwardedNameServer = "203.0.113.53";

// Whether a resolv.conf names a server on the loopback, which an own network does not reach.
bool asks_loopback(const std::string& resolv_conf);

// The same resolv.conf with kForwardedNameServer in place of its servers.
std::string forwarded(const std::string& resolv_conf);

// The launching thread's, as every child.
class OutwardNetwork {
 public:
  enum class UserNamespace { none, own };

  // Blocks until traffic is carried. `first_process` holds the namespaces and outlives this. Fails
  // with pasta's own words.
  static tl::expected<std::unique_ptr<OutwardNetwork>, SandboxError> start(
      pid_t first_process, UserNamespace user, const Guardian& guardian);

  OutwardNetwork(const OutwardNetwork&) = delete;
  OutwardNetwork& operator=(const OutwardNetwork&) = delete;
  ~OutwardNetwork();  // ends pasta

 private:
  OutwardNetwork(pid_t pid, UniqueFd pidfd, UniqueFd words, const Guardian& guardian)
      : guardian_(guardian),
        words_(std::move(words)),
        process_(
            std::make_unique<ChildProcess>(pid, std::move(pidfd), ChildProcess::Scope::group)) {}

  const Guardian& guardian_;
  const UniqueFd words_;  // open as long as pasta lives, which may write there
  std::unique_ptr<ChildProcess> process_;
};

}  // namespace emulator::sandbox
