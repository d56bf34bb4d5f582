// Where programs and files lie, on the host and in a root that is somebody else's.
//
// Threads: any.
#pragma once

#include <string>

namespace emulator::sandbox {

// As a shell would find it in Hearth's PATH. A name that is not found, or has a '/', is returned
// as it is, and exec says so.
std::string find_program(const std::string& name);

// The same in another root, whose links are followed inside it, with its own PATH. The answer is a
// path as seen there.
std::string find_program_in_root(const std::string& name,
                                 const std::string& path_variable,
                                 const std::string& root);

// Whether `path` is a folder in that root.
bool is_folder_in_root(const std::string& path, const std::string& root);

// A small file's; empty where there is none.
std::string content_of_file(const std::string& path);

}  // namespace emulator::sandbox
