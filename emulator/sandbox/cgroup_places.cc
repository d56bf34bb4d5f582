#include "emulator/sandbox/host_capabilities.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string_view>

namespace emulator::sandbox {
namespace {

namespace fs = std::filesystem;

using Names = std::set<std::string, std::less<>>;

struct Mount {
  CgroupPlace::Version version = CgroupPlace::Version::v2;
  std::string root;    // the group that is shown at `folder`
  std::string folder;  // of the host
  bool writable = true;
  Names options;  // of v1: its controllers, and more
};

Names split(std::string_view text, char separator) {
  Names names;
  while (!text.empty()) {
    const auto end = std::min(text.find(separator), text.size());
    if (end > 0) names.emplace(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return names;
}

// mountinfo writes spaces and their like as \040.
std::string unescaped(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto digits = text.substr(i + 1, 3);
    const bool escape = text[i] == '\\' && digits.size() == 3 &&
                        digits.find_first_not_of("01234567") == std::string_view::npos;
    plain += escape ? static_cast<char>(std::stoi(std::string(digits), nullptr, 8)) : text[i];
    if (escape) i += 3;
  }
  return plain;
}

// "31 23 0:28 / /sys/fs/cgroup rw,relatime shared:4 - cgroup cgroup rw,cpu"
std::vector<Mount> cgroup_mounts(const std::string& mountinfo) {
  std::vector<Mount> mounts;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const auto dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream words(line.substr(0, dash));
    std::istringstream kind(line.substr(dash + 3));
    std::string id;
    std::string parent;
    std::string device;
    std::string options;
    std::string type;
    std::string source;
    std::string super_options;
    Mount mount;
    words >> id >> parent >> device >> mount.root >> mount.folder >> options;
    kind >> type >> source >> super_options;
    if (type != "cgroup" && type != "cgroup2") continue;
    mount.version = type == "cgroup" ? CgroupPlace::Version::v1 : CgroupPlace::Version::v2;
    mount.root = unescaped(mount.root);
    mount.folder = unescaped(mount.folder);
    mount.writable =
        !split(options, ',').contains("ro") && !split(super_options, ',').contains("ro");
    mount.options = split(super_options, ',');
    mounts.push_back(std::move(mount));
  }
  return mounts;
}

// "4:memory:/user/a" of v1, "0::/user/a" of v2, which has no name: the path of our own group.
std::optional<std::string> own_group(const std::string& self_cgroup, std::string_view controller) {
  std::istringstream lines(self_cgroup);
  for (std::string line; std::getline(lines, line);) {
    const auto first = line.find(':');
    const auto second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const auto names = std::string_view(line).substr(first + 1, second - first - 1);
    if (controller.empty() ? names.empty() : split(names, ',').contains(controller)) {
      return line.substr(second + 1);
    }
  }
  return {};
}

// The groups that hold this process and are seen below the mount, from its own upwards. In a
// container the path is often one of the host's, which is not found here: then only what is
// mounted.
std::vector<std::string> groups_upwards(const Mount& mount,
                                        const std::string& own,
                                        const std::string& root) {
  const auto inside = fs::path(own).lexically_normal().lexically_relative(mount.root);
  std::vector<std::string> groups;
  if (!inside.empty() && *inside.begin() != ".." && inside != ".") {
    for (auto path = inside; !path.empty(); path = path.parent_path()) {
      groups.push_back((fs::path(mount.folder) / path).string());
    }
    std::error_code gone;
    if (!fs::is_directory(root + groups.front(), gone)) groups.clear();
  }
  groups.push_back(mount.folder);
  return groups;
}

bool writable(const std::string& path) {
  return ::faccessat(AT_FDCWD, path.c_str(), W_OK, AT_EACCESS) == 0;
}

// Making a group takes the folder; moving a process into it, cgroup.procs of what both lie in.
bool may_make_groups(const std::string& folder) {
  return writable(folder) && writable(folder + "/cgroup.procs");
}

Names words_in(const std::string& file) {
  std::ifstream in(file);
  Names words;
  for (std::string word; in >> word;) words.insert(word);
  return words;
}

// Whether a manager of groups has handed this one over, processes and all. Source: systemd, which
// marks so what was started with Delegate=yes.
bool is_delegated(const std::string& folder) {
  for (const char* mark : {"user.delegate", "trusted.delegate"}) {
    char value = '0';
    if (::getxattr(folder.c_str(), mark, &value, 1) == 1 && value == '1') return true;
  }
  return false;
}

// In v2 only a group without processes passes controllers on; the very root is excused from that.
// Strangers are moved out of the way only where whoever manages them would not mind.
bool can_be_emptied(const std::string& folder) {
  std::error_code gone;
  if (!fs::exists(folder + "/cgroup.type", gone)) return true;  // the root has no such file
  auto processes = words_in(folder + "/cgroup.procs");
  processes.erase(std::to_string(::getpid()));
  return processes.empty() || is_delegated(folder);
}

constexpr std::string_view kControllers[] = {"memory", "cpu", "pids"};

// Those controllers that groups below `folder` can have. Of a group that is not ours nothing is
// changed: whoever manages it would take a controller away again, silently.
Names given_below(const std::string& folder, bool own) {
  auto given = words_in(folder + "/cgroup.subtree_control");
  std::error_code gone;
  const bool root = !fs::exists(folder + "/cgroup.type", gone);
  if (root || (own && can_be_emptied(folder)))
    given.merge(words_in(folder + "/cgroup.controllers"));
  std::erase_if(given, [](const std::string& name) {
    return std::find(std::begin(kControllers), std::end(kControllers), name) ==
           std::end(kControllers);
  });
  return given;
}

// What was looked for in one hierarchy and why it is not there.
struct Finding {
  std::optional<CgroupPlace> place;
  Names controllers;  // of v2
  std::string refused;
};

Finding look_v2(const Mount& mount, const std::string& self_cgroup, const std::string& root) {
  Finding finding;
  if (!mount.writable) {
    finding.refused = mount.folder + " is mounted read-only";
    return finding;
  }
  const auto groups = groups_upwards(mount, own_group(self_cgroup, "").value_or("/"), root);
  for (const auto& group : groups) {
    const auto folder = root + group;
    if (!may_make_groups(folder) || !writable(folder + "/cgroup.subtree_control")) continue;
    auto given = given_below(folder, group == groups.front());
    if (finding.place && given.size() <= finding.controllers.size()) continue;
    finding.place = CgroupPlace{CgroupPlace::Version::v2, group};
    finding.controllers = std::move(given);
  }
  if (!finding.place) {
    finding.refused = "this user may not make groups in " + groups.front();
  }
  return finding;
}

Finding look_v1(const Mount& mount,
                std::string_view controller,
                const std::string& self_cgroup,
                const std::string& root) {
  Finding finding;
  if (!mount.writable) {
    finding.refused = mount.folder + " is mounted read-only";
    return finding;
  }
  const auto groups = groups_upwards(mount, own_group(self_cgroup, controller).value_or("/"), root);
  const auto found = std::find_if(groups.begin(), groups.end(), [&](const std::string& group) {
    return may_make_groups(root + group);
  });
  if (found != groups.end()) {
    finding.place = CgroupPlace{CgroupPlace::Version::v1, *found};
  } else {
    finding.refused = "this user may not make groups in " + groups.front();
  }
  return finding;
}

const Mount* mount_of_v1(const std::vector<Mount>& mounts, std::string_view controller) {
  const auto found = std::find_if(mounts.begin(), mounts.end(), [&](const Mount& mount) {
    return mount.version == CgroupPlace::Version::v1 && mount.options.contains(controller);
  });
  return found == mounts.end() ? nullptr : &*found;
}

std::string why_not_given(const CgroupPlace& place,
                          std::string_view name,
                          const std::string& root) {
  return "the controller " + std::string(name) + " is not given to groups in " + place.folder +
         (can_be_emptied(root + place.folder) ? "" : ", because other processes are in it");
}

constexpr const char* kNoGroups = "no control groups are mounted";

class Search {
 public:
  Search(const std::vector<Mount>& mounts,
         const std::string& self_cgroup,
         const std::string& root,
         Finding v2)
      : mounts_(mounts), self_cgroup_(self_cgroup), root_(root), v2_(std::move(v2)) {}

  std::optional<CgroupPlace> controller(std::string_view name, std::string& refused) const {
    if (v2_.place && v2_.controllers.contains(name)) return v2_.place;
    if (const auto* mount = mount_of_v1(mounts_, name)) return in_v1(*mount, name, refused);
    refused = v2_.place             ? why_not_given(*v2_.place, name, root_)
              : mounts_.empty()     ? kNoGroups
              : v2_.refused.empty() ? "the controller " + std::string(name) + " is not mounted"
                                    : v2_.refused;
    return {};
  }

  // v2 before v1, also where v2 has no controllers: it freezes ten times faster. It does so since
  // Linux 5.2, before which no process could be held by descriptor either.
  std::optional<CgroupPlace> freezer(std::string& refused) const {
    if (v2_.place) return v2_.place;
    return controller("freezer", refused);
  }

 private:
  std::optional<CgroupPlace> in_v1(const Mount& mount,
                                   std::string_view name,
                                   std::string& refused) const {
    auto found = look_v1(mount, name, self_cgroup_, root_);
    refused = std::move(found.refused);
    return found.place;
  }

  const std::vector<Mount>& mounts_;
  const std::string& self_cgroup_;
  const std::string& root_;
  const Finding v2_;
};

std::optional<CgroupPlace::Version> where_controllers_are(const std::vector<Mount>& mounts,
                                                          bool has_v2) {
  for (const auto name : kControllers) {
    if (mount_of_v1(mounts, name) != nullptr) return CgroupPlace::Version::v1;
  }
  if (has_v2) return CgroupPlace::Version::v2;
  return {};
}

}  // namespace

CgroupPlaces find_cgroups(const std::string& self_cgroup,
                          const std::string& mountinfo,
                          const std::string& root) {
  const auto mounts = cgroup_mounts(mountinfo);
  const auto unified = std::find_if(mounts.begin(), mounts.end(), [](const Mount& mount) {
    return mount.version == CgroupPlace::Version::v2;
  });
  const bool has_v2 = unified != mounts.end();
  const Search search(
      mounts, self_cgroup, root, has_v2 ? look_v2(*unified, self_cgroup, root) : Finding{});

  CgroupPlaces places;
  places.controllers = where_controllers_are(mounts, has_v2);
  places.memory = search.controller("memory", places.no_memory);
  places.cpu = search.controller("cpu", places.no_cpu);
  places.freezer = search.freezer(places.no_freezer);
  places.pids = search.controller("pids", places.no_pids);
  return places;
}

}  // namespace emulator::sandbox
