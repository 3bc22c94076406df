# The Jinja engine of llama.cpp, which scripts/fetch_jinja.sh put into .deps: five of its files and
# the two they need, as a static library. Its sources are compiled as they are.
set(OVENBIRD_JINJA ${OVENBIRD_DEPS}/llama_cpp_jinja CACHE PATH "Where fetch_jinja.sh unpacked it")
if(NOT EXISTS ${OVENBIRD_JINJA}/common/jinja/runtime.cpp)
  message(FATAL_ERROR "No Jinja engine in ${OVENBIRD_JINJA}: run scripts/fetch_jinja.sh")
endif()

# json.cpp wants one macro out of ggml.h, the header of the tensor library.
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/jinja/ggml.h CONTENT
"#pragma once
#include <cstdlib>
#define GGML_ASSERT(fact) do { if (!(fact)) std::abort(); } while (false)
")

add_library(ovenbird_jinja STATIC
  ${OVENBIRD_JINJA}/common/jinja/lexer.cpp
  ${OVENBIRD_JINJA}/common/jinja/parser.cpp
  ${OVENBIRD_JINJA}/common/jinja/runtime.cpp
  ${OVENBIRD_JINJA}/common/jinja/string.cpp
  ${OVENBIRD_JINJA}/common/jinja/value.cpp
  ${OVENBIRD_JINJA}/common/json.cpp
  ${OVENBIRD_JINJA}/common/unicode.cpp)
target_include_directories(ovenbird_jinja SYSTEM PUBLIC ${OVENBIRD_JINJA}/common)
# Before /usr/include, where another version of the JSON library may be.
target_include_directories(ovenbird_jinja BEFORE PRIVATE
  ${OVENBIRD_JINJA}/common ${OVENBIRD_JINJA}/vendor ${PROJECT_BINARY_DIR}/jinja)
# Its arithmetic on a template's numbers may overflow; UBSan is for our own code.
target_compile_options(ovenbird_jinja PRIVATE -w -fno-sanitize=undefined)
ovenbird_goes_into_library(ovenbird_jinja)
find_package(Threads REQUIRED)
