# Script half of hearth_embed: writes a header and a source that hold FILES as byte arrays.
get_filename_component(header_name ${HEADER} NAME)
file(WRITE ${HEADER} "#pragma once
#include <span>
#include <string_view>
namespace ${NAMESPACE} {
struct EmbeddedFile {
  std::string_view name;
  std::string_view bytes;
};
std::span<const EmbeddedFile> embedded_files();
}  // namespace ${NAMESPACE}
")
set(out "#include \"${header_name}\"\nnamespace ${NAMESPACE} {\nnamespace {\n")
set(table "")
set(index 0)
foreach(name IN LISTS FILES)
  file(READ ${ROOT}/${name} hex HEX)
  string(LENGTH "${hex}" length)
  math(EXPR length "${length} / 2")
  string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${hex}")
  string(APPEND out "constexpr char kFile${index}[] = {${bytes}'\\0'};\n")
  string(APPEND table "    {\"${name}\", std::string_view(kFile${index}, ${length})},\n")
  math(EXPR index "${index} + 1")
endforeach()
string(APPEND out "constexpr EmbeddedFile kFiles[] = {\n${table}};\n}  // namespace\n")
string(APPEND out "std::span<const EmbeddedFile> embedded_files() { return kFiles; }\n}  // namespace ${NAMESPACE}\n")
file(WRITE ${SOURCE} "${out}")
