# Warnings and sanitizers as interface targets, and the one way a folder becomes a library.

add_library(hearth_warnings INTERFACE)
target_compile_options(hearth_warnings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual
  -Wcast-qual -Wformat=2 -Wimplicit-fallthrough
  $<$<BOOL:${HEARTH_WARNINGS_AS_ERRORS}>:-Werror>)

add_library(hearth_sanitizers INTERFACE)
if(HEARTH_SANITIZE)
  target_compile_options(hearth_sanitizers INTERFACE
    -fsanitize=${HEARTH_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  target_link_options(hearth_sanitizers INTERFACE -fsanitize=${HEARTH_SANITIZE})
endif()

# hearth_tidy(FOLDERS...) has clang-tidy look at the targets of these folders and those below, other
# than what hearth_embed generates.
function(hearth_tidy)
  find_program(HEARTH_CLANG_TIDY NAMES clang-tidy REQUIRED)
  foreach(folder IN LISTS ARGN)
    get_property(targets DIRECTORY ${folder} PROPERTY BUILDSYSTEM_TARGETS)
    list(FILTER targets EXCLUDE REGEX "_embedded_")
    foreach(target IN LISTS targets)
      set_target_properties(${target} PROPERTIES CXX_CLANG_TIDY ${HEARTH_CLANG_TIDY})
    endforeach()
    get_property(folders DIRECTORY ${folder} PROPERTY SUBDIRECTORIES)
    hearth_tidy(${folders})
  endforeach()
endfunction()

# hearth_library(NAME HEADERS ... SOURCES ... PUBLIC targets... PRIVATE targets...)
# makes the library target hearth_NAME with the alias hearth::NAME.
function(hearth_library name)
  cmake_parse_arguments(PARSE_ARGV 1 arg "" "" "HEADERS;SOURCES;PUBLIC;PRIVATE")
  if(arg_SOURCES)
    add_library(hearth_${name} ${arg_SOURCES})
    target_sources(hearth_${name}
      PUBLIC FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${arg_HEADERS})
    target_link_libraries(hearth_${name}
      PUBLIC ${arg_PUBLIC} hearth_sanitizers
      PRIVATE ${arg_PRIVATE} hearth_warnings)
  else()
    add_library(hearth_${name} INTERFACE)
    target_sources(hearth_${name}
      INTERFACE FILE_SET HEADERS BASE_DIRS ${CMAKE_SOURCE_DIR} FILES ${arg_HEADERS})
    target_link_libraries(hearth_${name} INTERFACE ${arg_PUBLIC})
  endif()
  add_library(hearth::${name} ALIAS hearth_${name})
  if(HEARTH_VERIFY_HEADERS)
    set_target_properties(hearth_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
endfunction()
