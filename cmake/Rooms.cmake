# What every target of the project is compiled with, and how a room of src/ becomes a library.

add_library(ovenbird_settings INTERFACE)
target_include_directories(ovenbird_settings INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(ovenbird_settings INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion
  -Wno-sign-conversion -Wno-missing-field-initializers -Werror)
set(OVENBIRD_SANITIZE "" CACHE STRING "Sanitizers, for example address,undefined or thread")
if(OVENBIRD_SANITIZE)
  add_compile_options(-fsanitize=${OVENBIRD_SANITIZE} -fno-omit-frame-pointer
    -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${OVENBIRD_SANITIZE})
endif()

# ovenbird_goes_into_library(TARGET...): code that libovenbird.so is made of can be loaded anywhere,
# and its names are its own.
function(ovenbird_goes_into_library)
  set_target_properties(${ARGN} PROPERTIES POSITION_INDEPENDENT_CODE ON
    CXX_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
endfunction()

# ovenbird_room(NAME [SEES room...] [NEEDS library...]): every .cc of the folder, one library.
function(ovenbird_room name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "SEES;NEEDS")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  add_library(ovenbird_${name} STATIC ${sources})
  list(TRANSFORM room_SEES PREPEND ovenbird_)
  target_link_libraries(ovenbird_${name} PUBLIC ovenbird_settings ${room_SEES}
    PRIVATE ${room_NEEDS})
endfunction()

# ovenbird_test_sources(FILE...): what says what a test wants is compiled as fast as can be (it was
# half of a build, and runs once); what computes for it, fakes and models, is optimized.
function(ovenbird_test_sources)
  list(FILTER ARGN INCLUDE REGEX "_test\\.cc$")
  set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS -O0)
endfunction()

# ovenbird_room_tests(NAME [NEEDS library...]): tests/NAME/*_test.cc, one program, one ctest entry.
function(ovenbird_room_tests name)
  cmake_parse_arguments(PARSE_ARGV 1 room "" "" "NEEDS")
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${name}/*.cc)
  if(NOT sources)
    return()
  endif()
  ovenbird_test_sources(${sources})
  add_executable(${name}_test ${sources} ${PROJECT_SOURCE_DIR}/tests/main.cc)
  target_include_directories(${name}_test PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  target_compile_definitions(${name}_test PRIVATE
    OVENBIRD_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/data")
  target_link_libraries(${name}_test PRIVATE ovenbird_${name} doctest::doctest ${room_NEEDS})
  add_test(NAME ${name} COMMAND ${name}_test)
endfunction()
