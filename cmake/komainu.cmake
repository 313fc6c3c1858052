# A folder is a library, and its `*_test.cc` are its test program.
#
#   komainu_library(core LINK base)
#
# makes `komainu_core` of every `*.cc` below the folder that is no test, and `core_test` of every `*_test.cc`.
# TEST_LINK names what only the tests need. EXCLUDE drops files that belong to a program of their own.
#
# Each `NAME_fuzz.cc` is a libFuzzer target with the seeds in `NAME_corpus/` beside it: a fuzzer in the preset
# `fuzz`, and in every preset a test that replays the seeds.
function(komainu_library name)
  cmake_parse_arguments(ARG "" "" "LINK;TEST_LINK;EXCLUDE" ${ARGN})
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS *.cc)
  set(tests ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz)\\.cc$")
  list(FILTER tests INCLUDE REGEX "_test\\.cc$")
  foreach(excluded IN LISTS ARG_EXCLUDE)
    list(FILTER sources EXCLUDE REGEX "/${excluded}$")
    list(FILTER tests EXCLUDE REGEX "/${excluded}$")
  endforeach()
  if(sources)
    add_library(komainu_${name} STATIC ${sources})
    target_link_libraries(komainu_${name} PUBLIC ${ARG_LINK})
  else()
    add_library(komainu_${name} INTERFACE)
    target_link_libraries(komainu_${name} INTERFACE ${ARG_LINK})
  endif()
  if(tests)
    add_executable(${name}_test ${tests})
    target_link_libraries(${name}_test PRIVATE komainu_${name} ${ARG_TEST_LINK} GTest::gtest GTest::gmock GTest::gtest_main)
    # What is tested is optimised; its tests need not be, and their many templates are what a compiler is slow at.
    target_compile_options(${name}_test PRIVATE -O1)
    add_test(NAME ${name} COMMAND ${name}_test)
    set_tests_properties(${name} PROPERTIES TIMEOUT 600)
  endif()
  file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS *_fuzz.cc)
  foreach(fuzzer IN LISTS fuzzers)
    cmake_path(GET fuzzer STEM LAST_ONLY target)
    string(REGEX REPLACE "_fuzz\\.cc$" "_corpus" corpus ${fuzzer})
    if(KOMAINU_FUZZ)
      add_executable(${target} ${fuzzer})
      target_link_options(${target} PRIVATE -fsanitize=fuzzer)
      target_link_libraries(${target} PRIVATE komainu_${name})
    endif()
    add_executable(${target}_replay ${fuzzer} ${CMAKE_SOURCE_DIR}/cmake/fuzz_replay.cc)
    target_link_libraries(${target}_replay PRIVATE komainu_${name})
    add_test(NAME ${target} COMMAND ${target}_replay ${corpus})
  endforeach()
endfunction()

# Boost, with Asio and Beast compiled once (their `*_SEPARATE_COMPILATION`) and the JSON library linked.
find_package(Boost 1.81 REQUIRED CONFIG COMPONENTS json)
add_library(komainu_boost STATIC ${CMAKE_CURRENT_LIST_DIR}/compiled_boost.cc)
target_compile_definitions(komainu_boost PUBLIC
  BOOST_ASIO_SEPARATE_COMPILATION BOOST_BEAST_SEPARATE_COMPILATION BOOST_ASIO_NO_DEPRECATED)
target_link_libraries(komainu_boost PUBLIC Boost::headers Boost::json Threads::Threads)
