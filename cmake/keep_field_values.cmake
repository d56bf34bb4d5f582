# cmake -DFROM=… -DTO=… -P keep_field_values.cmake: the HTTP library's source, FROM, percent-decodes
# the values of header and trailer fields; in HTTP they are what was sent. A cookie or an error's
# cause would not arrive as it is, and a value could come to hold a line's end.
file(READ ${FROM} text)
string(REPLACE "fn(key, decode_path_component(val));" "fn(key, val);" kept "${text}")
if(kept STREQUAL text)
  message(FATAL_ERROR "${FROM} does not decode values where it did: look at its parse_header()")
endif()
file(WRITE ${TO} "${kept}")
