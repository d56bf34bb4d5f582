#include "tests/bench/bubblewrap.h"

#include "emulator/sandbox/root_filesystem.h"
#include "emulator/sandbox/seccomp_policy.h"

#include <linux/filter.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>

namespace bench {

using namespace emulator::sandbox;

namespace {

constexpr const char* kProgram = "/usr/bin/bwrap";

std::string octal(unsigned mode) {
  char text[16];
  std::snprintf(text, sizeof text, "%04o", mode);
  return text;
}

}  // namespace

bool Bubblewrap::installed() { return ::access(kProgram, X_OK) == 0; }

Bubblewrap::Bubblewrap(const IsolationPlan& plan, const RootView& view, const std::string& program)
    : argv_{kProgram,
            "--unshare-ipc",
            "--unshare-pid",
            "--unshare-uts",
            "--die-with-parent",
            "--cap-drop",
            "ALL"} {
  if (plan.cgroup_namespace) add({"--unshare-cgroup"});
  if (plan.user_namespace) add({"--unshare-user", "--uid", "993", "--gid", "990"});
  if (plan.network != Network::host) add({"--unshare-net"});
  add_root(plan, view);
  if (plan.system_call_filter) {
    const auto filter = compile(default_policy());
    if (!filter) give_up("the system call policy does not compile");
    add({"--seccomp", descriptor_of(filter->data(), filter->size() * sizeof(sock_filter))});
  }
  add({"--chdir", "/var/task", program});
}

Bubblewrap::~Bubblewrap() {
  for (const int file : files_) ::close(file);
}

void Bubblewrap::add_root(const IsolationPlan& plan, const RootView& view) {
  using Kind = FilesystemStep::Kind;
  const RootOptions options{
      .proc = plan.new_proc ? RootOptions::Proc::own : RootOptions::Proc::none,
      .reader = RootOptions::Reader::owner};
  for (const auto& step : plan_root(view, options)) {
    switch (step.kind) {
      case Kind::folder:
        add({"--perms", octal(step.mode), "--dir", step.target});
        break;
      case Kind::file:  // an empty one is there to be mounted upon, which bubblewrap makes itself
        if (!step.source.empty()) {
          add({"--file", descriptor_of(step.source.data(), step.source.size()), step.target});
        }
        break;
      case Kind::link:
        add({"--symlink", step.source, step.target});
        break;
      case Kind::bind:
        add({"--dev-bind", step.source, step.target});
        break;
      case Kind::bind_read_only:
      case Kind::bind_opened:
        add({step.required ? "--ro-bind" : "--ro-bind-try", step.source, step.target});
        break;
      case Kind::temporary:
        add({"--perms", octal(step.mode), "--size", std::to_string(step.bytes)});
        add({"--tmpfs", step.target});
        break;
      case Kind::proc:
        add({"--proc", step.target});
        break;
      case Kind::read_only:
        add({"--remount-ro", "/" + step.target});
        break;
      case Kind::image:
        give_up("bubblewrap is not measured with an image");
    }
  }
}

std::string Bubblewrap::descriptor_of(const void* bytes, std::size_t size) {
  const int file = ::memfd_create("for-bubblewrap", 0);
  if (file < 0 || ::write(file, bytes, size) != static_cast<ssize_t>(size)) give_up("no memory");
  files_.push_back(file);
  return std::to_string(file);
}

Nanoseconds Bubblewrap::start() const {
  for (const int file : files_) ::lseek(file, 0, SEEK_SET);
  return spawn_to_first_byte(argv_);
}

}  // namespace bench
