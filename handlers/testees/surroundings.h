// What a function sees around itself.
#pragma once

#include <string>

namespace testees {

// {"environment":{NAME:VALUE},"working_folder":…,"user":…,"group":…,"process":PID,
//  "limits":{NAME:{"soft":N|null,"hard":N|null}},"descriptors":{"NUMBER":TARGET},
//  "user_name":…,"groups":[GID],"host_name":…,"hosts":TEXT,"root":[NAME],"devices":[NAME],
//  "processes":[NAME],"mounts":[{"target":…,"type":…,"options":…}],"visible_cpus":N,
//  "status":{NAME:VALUE},"namespaces":{KIND:LINK},"cgroups":TEXT,"network":TEXT} of this process;
// a limit of null is unlimited; "processes" is all that lies in /proc.
std::string describe_surroundings();

}  // namespace testees
