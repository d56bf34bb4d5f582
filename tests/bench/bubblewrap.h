// Debian's bubblewrap, told to do what Hearth's sandbox does: the same namespaces, root and system
// call filter. It sets no limits.
#pragma once

#include "emulator/sandbox/isolation_plan.h"
#include "emulator/sandbox/sandbox.h"
#include "tests/bench/measured_program.h"

#include <string>
#include <vector>

namespace bench {

// Its owner's thread.
class Bubblewrap {
 public:
  static bool installed();

  // `program` is the path inside.
  Bubblewrap(const emulator::sandbox::IsolationPlan& plan,
             const emulator::sandbox::RootView& view,
             const std::string& program);
  Bubblewrap(const Bubblewrap&) = delete;
  Bubblewrap& operator=(const Bubblewrap&) = delete;
  ~Bubblewrap();

  // See spawn_to_first_byte().
  Nanoseconds start() const;

 private:
  void add(std::initializer_list<std::string> words) { argv_.insert(argv_.end(), words); }
  void add_root(const emulator::sandbox::IsolationPlan& plan,
                const emulator::sandbox::RootView& view);
  std::string descriptor_of(const void* bytes, std::size_t size);

  std::vector<std::string> argv_;
  std::vector<int> files_;  // that bubblewrap reads from their beginning
};

}  // namespace bench
