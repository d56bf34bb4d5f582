#include "emulator/control_plane/service_model.h"

#include "embedded_control_plane.h"
#include "emulator/control_plane/model_reader.h"
#include "emulator/control_plane/utf8_text.h"
#include "emulator/front_doors/request_target.h"

#include <nlohmann/json.hpp>

#include <algorithm>

namespace emulator::control_plane {
namespace {

// The path template of an operation, taken apart.
struct PathTemplate {
  const ModelOperation* operation = nullptr;
  std::vector<std::string> segments;  // "functions", "{FunctionName}"
  std::string query_name;             // of the fixed query; empty: it has none
  std::string query_value;
};

template <typename Text>
std::vector<Text> split(std::string_view text, char at) {
  std::vector<Text> parts;
  while (true) {
    const auto end = text.find(at);
    parts.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

PathTemplate template_of(const ModelOperation& operation) {
  PathTemplate path;
  path.operation = &operation;
  const auto target = front_doors::split_target(operation.path);
  path.segments = split<std::string>(target.path, '/');
  const auto equals = target.query.find('=');
  path.query_name = target.query.substr(0, equals);
  if (equals != std::string_view::npos) path.query_value = target.query.substr(equals + 1);
  return path;
}

// The model and what is made of it.
struct LoadedModel {
  LoadedModel() : model(read_model(embedded_files().front().bytes)) {
    for (const auto& operation : model.operations) paths.push_back(template_of(operation));
    // Of two that match, the one with a fixed query is meant.
    std::stable_sort(paths.begin(), paths.end(), [](const auto& left, const auto& right) {
      return left.query_name.size() > right.query_name.size();
    });
  }
  ServiceModel model;
  std::vector<PathTemplate> paths;
};

const LoadedModel& loaded() {
  static const LoadedModel kLoaded;
  return kLoaded;
}

bool is_member(std::string_view segment) { return segment.starts_with('{'); }

bool fits(const PathTemplate& path,
          std::string_view method,
          const std::vector<std::string_view>& segments,
          std::string_view query) {
  if (path.operation->method != method || path.segments.size() != segments.size()) return false;
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool same =
        is_member(path.segments[i]) ? !segments[i].empty() : path.segments[i] == segments[i];
    if (!same) return false;
  }
  return path.query_name.empty() ||
         front_doors::query_value(query, path.query_name) == path.query_value;
}

}  // namespace

std::span<const ModelOperation> model_operations() { return loaded().model.operations; }

const ModelOperation* find_operation(std::string_view name) {
  const auto operations = model_operations();
  const auto found = std::lower_bound(
      operations.begin(), operations.end(), name, [](const auto& operation, auto wanted) {
        return operation.name < wanted;
      });
  return found != operations.end() && found->name == name ? &*found : nullptr;
}

std::optional<OperationMatch> match_operation(std::string_view method, std::string_view target) {
  auto [path, query] = front_doors::split_target(target);
  // Former models of the service, and so SDKs still in use, end some paths with a '/'.
  if (path.size() > 1 && path.ends_with('/')) path.remove_suffix(1);
  const auto segments = split<std::string_view>(path, '/');
  for (const auto& candidate : loaded().paths) {
    if (!fits(candidate, method, segments, query)) continue;
    OperationMatch match;
    match.operation = candidate.operation;
    match.query = query;
    for (std::size_t i = 0; i < segments.size(); ++i) {
      const std::string_view name = candidate.segments[i];
      if (!is_member(name)) continue;
      match.path_members.emplace_back(
          name.substr(1, name.size() - 2),
          utf8_text(front_doors::percent_decoded(segments[i]).value_or(std::string(segments[i]))));
    }
    return match;
  }
  return std::nullopt;
}

front_doors::Reply reply_of(const ModelOperation& operation,
                            const Document& output,
                            std::string_view request_id) {
  front_doors::Reply reply;
  reply.status = operation.status;
  reply.headers.push_back({"x-amzn-RequestId", std::string(request_id)});
  const auto* shape = operation.output;
  const bool has_members = shape != nullptr && !shape->members.empty();
  // An operation whose status is a member of its answer, and that has nothing to say. Source: REC
  // for DeleteFunction.
  if (has_members && output.empty() &&
      shape->members.front().location == MemberLocation::status_code) {
    reply.status = 204;
  }
  if (!has_members || reply.status == 204) return reply;
  reply.content_type = "application/json";
  reply.body = output.dump(-1, ' ', false, Document::error_handler_t::replace);
  return reply;
}

}  // namespace emulator::control_plane
