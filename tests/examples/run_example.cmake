# Runs an example and compares what it writes to standard output with a file.
#
#   cmake -D PROGRAM=... -D BUNDLE=... -D EXPECTED=file -P run_example.cmake
file(READ ${EXPECTED} expected)
execute_process(COMMAND ${PROGRAM} ${BUNDLE} OUTPUT_VARIABLE output ERROR_VARIABLE errors
  RESULT_VARIABLE result)
if(NOT result EQUAL 0 OR NOT output STREQUAL expected)
  message(FATAL_ERROR "${PROGRAM} ${BUNDLE}\nended with ${result} and said\n${output}${errors}\n"
    "instead of\n${expected}")
endif()
