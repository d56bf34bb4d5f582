#include "emulator/control_plane/server.h"

#include "emulator/front_doors/request_target.h"

#include <string_view>
#include <utility>

namespace emulator::control_plane {
namespace {

using front_doors::Reply;
using front_doors::Request;

bool is_at_or_below(std::string_view path, std::string_view route) {
  return path.starts_with(route) && (path.size() == route.size() || path[route.size()] == '/');
}

class Routes {
 public:
  Routes(InvokeApi api, ControlPlane control_plane, std::vector<ExtraRoute> extra)
      : api_(std::move(api)), control_plane_(std::move(control_plane)), extra_(std::move(extra)) {}

  std::size_t body_limit(const Request& head) const {
    if (const auto route = match_invoke_route(head)) return max_request_bytes(head, *route);
    if (find_extra(head) != nullptr) return kMaxExtraRequestBytes;
    return is_operation(head) ? control_plane_.body_limit(head) : 0;
  }

  Reply answer(Request request) const {
    if (const auto route = match_invoke_route(request)) {
      return answer_invoke(std::move(request), *route, api_);
    }
    if (const auto* extra = find_extra(request)) return extra->handler(std::move(request));
    if (is_operation(request)) return control_plane_.answer(std::move(request));
    return error_reply(unknown_operation(), api_.new_request_id());
  }

  Reply refuse_too_large(const Request& head) const {
    const bool operation =
        !match_invoke_route(head) && find_extra(head) == nullptr && is_operation(head);
    if (operation) return control_plane_.refuse_too_large(head);
    return error_reply(request_too_large(body_limit(head)), api_.new_request_id());
  }

  Reply admit_defect() const {
    return error_reply(
        service_exception("Hearth failed while answering; its log on stderr says why"),
        api_.new_request_id());
  }

 private:
  const ExtraRoute* find_extra(const Request& head) const {
    const auto path = front_doors::split_target(head.target).path;
    const ExtraRoute* best = nullptr;
    for (const auto& route : extra_) {
      if (route.method != head.method || !is_at_or_below(path, route.path)) continue;
      if (best == nullptr || route.path.size() > best->path.size()) best = &route;
    }
    return best;
  }

  bool is_operation(const Request& head) const {
    return control_plane_.handles && control_plane_.handles(head);
  }

  InvokeApi api_;
  ControlPlane control_plane_;
  std::vector<ExtraRoute> extra_;
};

}  // namespace

tl::expected<std::unique_ptr<LambdaServer>, front_doors::ListenError> LambdaServer::start(
    const front_doors::ListenAddress& address,
    InvokeApi api,
    ControlPlane control_plane,
    std::vector<ExtraRoute> routes) {
  // Shared by the four functions below and gone with the last of them.
  const auto table =
      std::make_shared<const Routes>(std::move(api), std::move(control_plane), std::move(routes));
  front_doors::HttpService service;
  service.body_limit = [table](const Request& head) { return table->body_limit(head); };
  service.answer = [table](Request request) { return table->answer(std::move(request)); };
  service.refuse_too_large = [table](const Request& head) { return table->refuse_too_large(head); };
  service.admit_defect = [table] { return table->admit_defect(); };
  auto listener = front_doors::HttpListener::start(address, std::move(service));
  if (!listener) return tl::unexpected(std::move(listener.error()));
  return std::unique_ptr<LambdaServer>(new LambdaServer(std::move(*listener)));
}

}  // namespace emulator::control_plane
