# hearth_embed(TARGET NAMESPACE FILES...) compiles files into TARGET. The generated header
# embedded_<last namespace part>.h declares `std::span<const EmbeddedFile> embedded_files()`;
# a file's name is its path relative to the calling folder. The generated source is a target of its
# own, so that TARGET's warnings and clang-tidy are about what we wrote.
function(hearth_embed target namespace)
  hearth_embed_from(${target} ${namespace} ${CMAKE_CURRENT_SOURCE_DIR} "${ARGN}" "${ARGN}")
endfunction()

# The same for a program that the build makes; the file's name is the program's.
function(hearth_embed_program target namespace program)
  hearth_embed_from(${target} ${namespace} $<TARGET_FILE_DIR:${program}>
                    $<TARGET_FILE_NAME:${program}> ${program})
endfunction()

function(hearth_embed_from target namespace root files depends)
  string(REGEX REPLACE ".*::" "" leaf ${namespace})
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(header ${dir}/embedded_${leaf}.h)
  set(source ${dir}/embedded_${leaf}.cc)
  add_custom_command(
    OUTPUT ${header} ${source}
    COMMAND ${CMAKE_COMMAND} -DNAMESPACE=${namespace} -DHEADER=${header} -DSOURCE=${source}
            -DROOT=${root} "-DFILES=${files}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${depends} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  set(embedded ${target}_embedded_${leaf})
  add_library(${embedded} OBJECT ${source} ${header})
  target_link_libraries(${embedded} PRIVATE hearth_sanitizers)
  add_dependencies(${target} ${embedded})
  target_sources(${target} PRIVATE $<TARGET_OBJECTS:${embedded}>)
  target_include_directories(${target} PRIVATE ${dir})
endfunction()
