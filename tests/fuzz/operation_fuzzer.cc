// Feeds strangers' bytes to the control plane: the first line of the input is the method, the
// second the target, the rest is the body. Whatever they are, the answer is no 500.

#include "emulator/control_plane/operation_router.h"
#include "emulator/front_doors/http_message.h"

#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

namespace {

using namespace emulator;

std::string_view take_line(std::string_view& input) {
  const auto end = input.find('\n');
  const auto line = input.substr(0, end);
  input = end == std::string_view::npos ? std::string_view{} : input.substr(end + 1);
  return line;
}

// What the requests act on. It grows with them, as a service does.
struct World {
  World()
      : folder(std::filesystem::temp_directory_path() / "hearth-operation-fuzz"),
        code(functions::CodeStore::open(folder).value()),
        store(state::store_in_memory()),
        registry(registry::Registry::open(*store).value()),
        world{.registry = *registry,
              .code = *code,
              .clock = clock,
              .new_uuid =
                  [this] {
                    const auto number = std::to_string(++ids);
                    return "00000000-0000-0000-0000-" + std::string(12 - number.size(), '0') +
                           number;
                  }},
        router(world, control_plane::all_operations()) {}

  std::filesystem::path folder;
  time::SystemClock clock;
  int ids = 0;
  std::unique_ptr<functions::CodeStore> code;
  std::unique_ptr<state::Store> store;
  std::unique_ptr<registry::Registry> registry;
  control_plane::ServiceWorld world;
  control_plane::OperationRouter router;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static World world;
  std::string_view input(reinterpret_cast<const char*>(data), size);
  front_doors::Request request;
  request.method = take_line(input);
  request.target = take_line(input);
  request.body = input;
  if (world.router.body_limit(request) < request.body.size()) return 0;
  const auto reply = world.router.answer(std::move(request));
  if (reply.status < 200 || reply.status >= 500) std::abort();
  return 0;
}
