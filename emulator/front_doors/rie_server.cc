#include "emulator/front_doors/rie_server.h"

#include "emulator/front_doors/rie_managed_door.h"

#include <utility>

namespace emulator::front_doors {

tl::expected<std::unique_ptr<HttpListener>, ListenError> start_rie_server(
    const ListenAddress& address, RieFrontDoor door) {
  HttpService service;
  service.body_limit = [](const Request& head) {
    return is_rie_invocation(head) ? kMaxRieRequestBytes : std::size_t{0};
  };
  service.answer = [door = std::move(door)](Request request) {
    if (door.mode == RieFrontDoor::Mode::managed_instances) {
      return answer_managed_rie(std::move(request), door);
    }
    return answer_rie(std::move(request), door);
  };
  service.refuse_too_large = [](const Request&) { return rie_too_large_reply(); };
  service.admit_defect = [] { return Reply{500, {}, {}, {}}; };
  return HttpListener::start(address, std::move(service));
}

}  // namespace emulator::front_doors
