// The first process of a sandbox's process namespace. It keeps the namespaces alive, inherits and
// lets go of orphans, passes signals to every other process, and makes sockets in its network: each
// byte that it reads is the number of a signal, and is answered with the same byte once it is sent,
// or asks for a socket, and is answered with one. When its line breaks, Hearth is gone; it ends,
// and the kernel ends the namespace with it.
//
// Without a C library: a few kilobytes, started in a fraction of a millisecond, once for each
// sandbox, and nothing in its memory that a function might want.
#include "emulator/sandbox/first_process_requests.h"

#include <asm/unistd.h>

namespace {

constexpr int kLine = 3;
constexpr long kSetDumpable = 4;  // PR_SET_DUMPABLE
constexpr long kSigChild = 17;
constexpr long kIgnore = 1;
constexpr long kInterrupted = -4;  // EINTR

#if defined(__x86_64__)
long call(long number, long first, long second, long third, long fourth) {
  long result;
  register long r10 asm("r10") = fourth;
  asm volatile("syscall"
               : "=a"(result)
               : "a"(number), "D"(first), "S"(second), "d"(third), "r"(r10)
               : "rcx", "r11", "memory");
  return result;
}
#elif defined(__aarch64__)
long call(long number, long first, long second, long third, long fourth) {
  register long x8 asm("x8") = number;
  register long x0 asm("x0") = first;
  register long x1 asm("x1") = second;
  register long x2 asm("x2") = third;
  register long x3 asm("x3") = fourth;
  asm volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
  return x0;
}
#else
#error "Hearth runs on x86-64 and arm64"
#endif

struct SignalAction {
  long handler;
  unsigned long flags;
  void* restorer;
  unsigned long mask;
};

// As sendmsg(2) takes them on both machines.
struct Bytes {
  const void* start;
  unsigned long size;
};
struct Control {
  unsigned long size;
  int level;
  int type;
  int descriptor;
  int padding;
};
struct Message {
  void* name;
  int name_size;
  const Bytes* bytes;
  unsigned long bytes_count;
  const Control* control;
  unsigned long control_size;
  int flags;
};

constexpr long kInternet = 2;                // AF_INET
constexpr long kStream = 1;                  // SOCK_STREAM
constexpr long kDatagram = 2;                // SOCK_DGRAM
constexpr long kClosedOnExec = 02000000;     // SOCK_CLOEXEC
constexpr long kNotBlocking = 04000;         // SOCK_NONBLOCK
constexpr int kSocketLevel = 1;              // SOL_SOCKET
constexpr int kDescriptors = 1;              // SCM_RIGHTS
constexpr unsigned long kControlSize = 20;   // CMSG_LEN of one descriptor
constexpr unsigned long kControlSpace = 24;  // CMSG_SPACE of one descriptor
static_assert(sizeof(Control) == kControlSpace);

void answer_with_socket(unsigned char request) {
  const long kind = request == emulator::sandbox::kMakeStreamSocket ? kStream : kDatagram;
  const long socket = call(__NR_socket, kInternet, kind | kClosedOnExec | kNotBlocking, 0, 0);
  const auto error = static_cast<unsigned char>(socket < 0 ? -socket : 0);
  const unsigned char answer[] = {request, error};
  const Bytes bytes = {answer, sizeof(answer)};
  const Control control = {kControlSize, kSocketLevel, kDescriptors, static_cast<int>(socket), 0};
  const Message message = {nullptr, 0, &bytes, 1, &control, socket < 0 ? 0 : kControlSpace, 0};
  call(__NR_sendmsg, kLine, reinterpret_cast<long>(&message), 0, 0);
  if (socket >= 0) call(__NR_close, socket, 0, 0, 0);
}

}  // namespace

// The linker wants this name.
// NOLINTNEXTLINE(readability-identifier-naming)
extern "C" [[noreturn]] void _start() {
  call(__NR_prctl, kSetDumpable, 0, 0, 0);
  // Ignored, so that the kernel reaps.
  const SignalAction ignore = {kIgnore, 0, nullptr, 0};
  call(__NR_rt_sigaction, kSigChild, reinterpret_cast<long>(&ignore), 0, sizeof(ignore.mask));
  while (true) {
    unsigned char request = 0;
    const long length = call(__NR_read, kLine, reinterpret_cast<long>(&request), 1, 0);
    if (length == kInterrupted) continue;
    if (length != 1) call(__NR_exit_group, 0, 0, 0, 0);
    if (request >= emulator::sandbox::kMakeStreamSocket) {
      answer_with_socket(request);
      continue;
    }
    call(__NR_kill, -1, request, 0, 0);
    call(__NR_write, kLine, reinterpret_cast<long>(&request), 1, 0);
  }
}
