# hearth_embed(TARGET NAMESPACE FILES...) compiles files into TARGET. The generated header
# embedded_<last namespace part>.h declares `std::span<const EmbeddedFile> embedded_files()`;
# a file's name is its path relative to the calling folder.
function(hearth_embed target namespace)
  string(REGEX REPLACE ".*::" "" leaf ${namespace})
  set(dir ${CMAKE_CURRENT_BINARY_DIR}/embedded)
  set(header ${dir}/embedded_${leaf}.h)
  set(source ${dir}/embedded_${leaf}.cc)
  add_custom_command(
    OUTPUT ${header} ${source}
    COMMAND ${CMAKE_COMMAND} -DNAMESPACE=${namespace} -DHEADER=${header} -DSOURCE=${source}
            -DROOT=${CMAKE_CURRENT_SOURCE_DIR} "-DFILES=${ARGN}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${source} ${header})
  target_include_directories(${target} PRIVATE ${dir})
endfunction()
