#include "tests/repository/floor_plan.h"

#include <regex>
#include <sstream>

namespace repository {
namespace {

constexpr int kOutside = 0;

std::string folder_of_room(const std::string& room, const SourceTree& tree) {
  const auto inside = tree.lower_bound("emulator/" + room + "/");
  const bool in_emulator =
      inside != tree.end() && inside->first.starts_with("emulator/" + room + "/");
  return in_emulator ? "emulator/" + room : room;
}

// Which of our libraries a room links, and how.
struct Links {
  std::set<std::string> to_all;      // PUBLIC or INTERFACE
  std::set<std::string> to_sources;  // PRIVATE
};

// Which room each hearth_library belongs to; a folder may make several.
std::map<std::string, std::string> rooms_of_libraries(const FloorPlan& plan,
                                                      const SourceTree& tree) {
  static const std::regex library("\\bhearth_library\\(\\s*([a-z_]+)");
  std::map<std::string, std::string> rooms;
  for (const auto& [path, text] : tree) {
    const auto room = plan.room_of(path);
    if (!room || !path.ends_with("CMakeLists.txt")) continue;
    for (std::sregex_iterator it(text.begin(), text.end(), library), end; it != end; ++it) {
      rooms.emplace((*it)[1].str(), *room);
    }
  }
  return rooms;
}

Links links_in(const std::string& cmake_lists, const std::map<std::string, std::string>& rooms) {
  static const std::regex comment("#[^\n]*");
  static const std::regex token("PUBLIC|INTERFACE|PRIVATE|\\(|hearth::[a-z_]+");
  const std::string text = std::regex_replace(cmake_lists, comment, "");
  Links links;
  bool to_all = false;
  for (std::sregex_iterator it(text.begin(), text.end(), token), end; it != end; ++it) {
    const std::string word = it->str();
    if (word == "(") {
      to_all = false;
    } else if (word.starts_with("hearth::")) {
      const auto library = word.substr(8);
      const auto room = rooms.find(library);
      (to_all ? links.to_all : links.to_sources)
          .insert(room == rooms.end() ? library : room->second);
    } else {
      to_all = word != "PRIVATE";
    }
  }
  return links;
}

// A header that the build writes, declared by hearth_embed.
bool is_generated(std::string_view include) {
  return include.starts_with("embedded_") && include.find('/') == include.npos;
}

std::optional<std::string> objection(const FloorPlan& plan,
                                     const std::string& from,
                                     const std::string& to) {
  if (from == to) return std::nullopt;
  const int here = plan.floor_of_room.at(from);
  const int there = plan.floor_of_room.at(to);
  if (here == kOutside) return from + " is outside and may not know " + to;
  if (there == kOutside) return to + " is outside; nobody may know it";
  if (there > here) return to + " is above " + from;
  if (there == here) return to + " is on the same floor as " + from;
  return std::nullopt;
}

}  // namespace

std::optional<std::string> FloorPlan::room_of(std::string_view path) const {
  if (path.starts_with("emulator/")) path.remove_prefix(std::string_view("emulator/").size());
  const size_t slash = path.find('/');
  if (slash == path.npos) return std::nullopt;
  const std::string room(path.substr(0, slash));
  if (!floor_of_room.contains(room)) return std::nullopt;
  return room;
}

FloorPlan parse_floor_plan(std::string_view document) {
  static const std::regex row("^(floor ([1-9])|outside)[ ]+(.*)$");
  static const std::regex remark("\\([^)]*\\)");
  FloorPlan plan;
  bool fenced = false;
  for (const std::string_view line : lines_of(document)) {
    if (line.starts_with("```")) {
      if (fenced && plan.floor_of_room.size() > 1) return plan;
      plan = {};
      fenced = !fenced;
      continue;
    }
    std::match_results<std::string_view::const_iterator> match;
    if (!fenced || !std::regex_match(line.begin(), line.end(), match, row)) continue;
    const int floor = match[2].matched ? std::stoi(match[2].str()) : kOutside;
    std::istringstream rooms(std::regex_replace(match[3].str(), remark, ""));
    for (std::string room; rooms >> room;) plan.floor_of_room[room] = floor;
  }
  return {};
}

std::vector<Include> includes_of(std::string_view text) {
  static const std::regex directive("^[ ]*#[ ]*include[ ]*([<\"])([^>\"]+)[>\"].*$");
  std::vector<Include> includes;
  size_t number = 0;
  for (const std::string_view line : lines_of(text)) {
    ++number;
    std::match_results<std::string_view::const_iterator> match;
    if (std::regex_match(line.begin(), line.end(), match, directive)) {
      includes.push_back({number, match[2].str(), match[1].str() == "\""});
    }
  }
  return includes;
}

Findings floor_findings(const FloorPlan& plan, const SourceTree& tree) {
  Findings findings;
  for (const auto& [path, text] : tree) {
    if (!is_cpp(path)) continue;
    const auto room = plan.room_of(path);
    for (const Include& include : includes_of(text)) {
      const auto target_room = plan.room_of(include.target);
      if (include.quoted && !is_generated(include.target) && !tree.contains(include.target)) {
        findings.push_back(at(path, include.line, include.target + " is no path from the root"));
      } else if (!include.quoted && tree.contains(include.target)) {
        findings.push_back(
            at(path, include.line, include.target + " is ours: use quotation marks"));
      }
      if (!room || !target_room || *room == "tests") continue;
      if (const auto why = objection(plan, *room, *target_room)) {
        findings.push_back(at(path, include.line, *why));
      }
    }
  }
  return findings;
}

Findings unplanned_folders(const FloorPlan& plan, const SourceTree& tree) {
  Findings findings;
  std::set<std::string> seen;
  for (const auto& [path, text] : tree) {
    if (const auto room = plan.room_of(path)) {
      seen.insert(*room);
    } else if (is_cpp(path)) {
      findings.push_back(path + ": its folder is not in the floor plan");
    }
  }
  for (const auto& [room, floor] : plan.floor_of_room) {
    if (!seen.contains(room)) findings.push_back(room + ": in the floor plan, but no such folder");
  }
  return findings;
}

Findings link_findings(const FloorPlan& plan, const SourceTree& tree) {
  const auto rooms = rooms_of_libraries(plan, tree);
  Findings findings;
  for (const auto& [room, floor] : plan.floor_of_room) {
    if (floor == kOutside) continue;
    const std::string folder = folder_of_room(room, tree) + "/";
    const auto lists = tree.find(folder + "CMakeLists.txt");
    if (lists == tree.end()) continue;
    const Links links = links_in(lists->second, rooms);
    std::map<std::string, std::string> in_headers;
    std::map<std::string, std::string> in_sources;
    for (auto it = tree.lower_bound(folder); it != tree.end() && it->first.starts_with(folder);
         ++it) {
      if (!is_cpp(it->first)) continue;
      for (const Include& include : includes_of(it->second)) {
        const auto target = plan.room_of(include.target);
        if (!target || *target == room) continue;
        (it->first.ends_with(".h") ? in_headers : in_sources).emplace(*target, it->first);
      }
    }
    for (const auto& [target, file] : in_headers) {
      if (!links.to_all.contains(target)) {
        findings.push_back(lists->first + ": hearth::" + target + " must be PUBLIC, for " + file);
      }
    }
    for (const auto& [target, file] : in_sources) {
      if (!links.to_all.contains(target) && !links.to_sources.contains(target)) {
        findings.push_back(lists->first + ": hearth::" + target + " must be linked, for " + file);
      }
    }
    for (const std::string& target : links.to_all) {
      if (target != room && !in_headers.contains(target)) {
        findings.push_back(lists->first + ": no header needs hearth::" + target + " to be PUBLIC");
      }
    }
    for (const std::string& target : links.to_sources) {
      if (target != room && !in_headers.contains(target) && !in_sources.contains(target)) {
        findings.push_back(lists->first + ": nothing includes what hearth::" + target + " offers");
      }
    }
  }
  return findings;
}

}  // namespace repository
