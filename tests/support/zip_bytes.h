// The bytes of .zip packages, made as they are needed.
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include <array>
#include <cstddef>
#include <map>
#include <stdexcept>
#include <string>

namespace tests {

// Name → content; every file has mode 0644. Any thread.
inline std::string zip_bytes(const std::map<std::string, std::string>& files) {
  std::size_t room = 1024;
  for (const auto& [name, content] : files) room += 2 * name.size() + content.size() + 1024;
  std::string bytes(room, '\0');
  std::size_t used = 0;
  auto* const writer = ::archive_write_new();
  ::archive_write_set_format_zip(writer);
  ::archive_write_set_bytes_in_last_block(writer, 1);
  bool well = ::archive_write_open_memory(writer, bytes.data(), room, &used) == ARCHIVE_OK;
  for (const auto& [name, content] : files) {
    auto* const entry = ::archive_entry_new();
    ::archive_entry_set_pathname(entry, name.c_str());
    ::archive_entry_set_filetype(entry, AE_IFREG);
    ::archive_entry_set_perm(entry, 0644);
    ::archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    well = well && ::archive_write_header(writer, entry) == ARCHIVE_OK &&
           ::archive_write_data(writer, content.data(), content.size()) ==
               static_cast<la_ssize_t>(content.size());
    ::archive_entry_free(entry);
  }
  well = ::archive_write_close(writer) == ARCHIVE_OK && well;
  ::archive_write_free(writer);
  if (!well) throw std::runtime_error("no .zip package");
  bytes.resize(used);
  return bytes;
}

}  // namespace tests
