# How the programs are built: included by this project, and by an installed package for its component `programs`.
#
#   coldzoom_add_programs(TARGET mine METHODS my_methods.cpp... [PROGRAMS train sample...])
#
# builds programs that know the entries of these files beside the library's own: methods (coldzoom_programs/method.hpp)
# and networks (coldzoom_programs/network.hpp). They are BUILD/mine/train, BUILD/mine/sample, ..., as targets mine_train,
# mine_sample, ...; the target `mine` is all of them. PROGRAMS takes some instead of all. See docs/how_to/own_method.md.

# In a CUDA build nvcc compiles the units that choose a backend, each through one line. coldzoom_for_device(<variable>)
# puts those in the place of the units in the list, and adds them to device_units in any build.
function(coldzoom_for_device variable)
  set(sources)
  foreach(source IN LISTS ${variable})
    file(STRINGS ${source} chooses REGEX "(common/(on_backend|method_on|cold_method|zoom_methods|classifier_on)|coldzoom_programs/[a-z]+)\\.hpp\""
      LIMIT_COUNT 1)
    if(chooses)
      cmake_path(GET source STEM name)
      set(unit ${CMAKE_CURRENT_BINARY_DIR}/${name}.cu)
      file(CONFIGURE OUTPUT ${unit} CONTENT "#include \"${source}\"\n")
      list(APPEND device_units ${unit})
      if(COLDZOOM_PROGRAMS_CUDA)
        set(source ${unit})
      endif()
    endif()
    list(APPEND sources ${source})
  endforeach()
  set(${variable} ${sources} PARENT_SCOPE)
  set(device_units ${device_units} PARENT_SCOPE)
endfunction()

# What programs share lies in common/ and is compiled once, into coldzoom_examples; tests of it link that library too.
# coldzoom_engine is what other tests want of it: templates that take long to compile. coldzoom_programs
# carries the compile options, which this project sets; a user's programs are optimised for the machine at hand unless
# COLDZOOM_NATIVE is off.
function(coldzoom_programs_library)
  if(TARGET coldzoom_examples)
    return()
  endif()
  set(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL ON)
  find_package(CLI11 REQUIRED)
  find_package(Boost REQUIRED COMPONENTS iostreams system filesystem) # gnuplot-iostream
  if(NOT TARGET coldzoom_programs)
    option(COLDZOOM_NATIVE "Compile the programs for this machine (-march=native)" ON)
    add_library(coldzoom_programs INTERFACE)
    target_compile_options(coldzoom_programs INTERFACE
      $<$<AND:$<COMPILE_LANGUAGE:CXX>,$<BOOL:${COLDZOOM_NATIVE}>>:-march=native>
      $<$<AND:$<COMPILE_LANGUAGE:CUDA>,$<BOOL:${COLDZOOM_NATIVE}>>:-Xcompiler=-march=native>
      $<$<CONFIG:>:-O3>)
  endif()

  set(programs_dir ${CMAKE_CURRENT_FUNCTION_LIST_DIR})
  set(common ${programs_dir}/common)
  add_library(coldzoom_engine STATIC EXCLUDE_FROM_ALL ${common}/safetensors.cpp ${common}/eigensolver.cpp)
  target_include_directories(coldzoom_engine PUBLIC ${programs_dir})
  target_compile_options(coldzoom_engine PRIVATE $<$<CONFIG:Debug>:-O1>)
  target_link_libraries(coldzoom_engine PUBLIC coldzoom_programs coldzoom::pictures PRIVATE coldzoom::eigen)
  if(TARGET coldzoom::engine) # an installed package may lack it; units then compile its templates themselves
    target_link_libraries(coldzoom_engine PUBLIC coldzoom::engine)
  endif()

  file(GLOB shared CONFIGURE_DEPENDS ${common}/*.cpp)
  list(FILTER shared EXCLUDE REGEX "/(safetensors|eigensolver)\\.cpp$")
  coldzoom_for_device(shared)
  add_library(coldzoom_examples STATIC EXCLUDE_FROM_ALL ${shared})
  target_compile_definitions(coldzoom_examples PUBLIC COLDZOOM_EMBEDDED_DATA="${programs_dir}/data")
  target_link_libraries(coldzoom_examples
    PUBLIC coldzoom_engine
    PRIVATE coldzoom::eigen CLI11::CLI11 Boost::iostreams Boost::system Boost::filesystem)
  if(COLDZOOM_PROGRAMS_MPI)
    set_source_files_properties(${common}/ranks.cpp PROPERTIES COMPILE_DEFINITIONS COLDZOOM_PROGRAMS_MPI)
    target_link_libraries(coldzoom_examples PRIVATE coldzoom::mpi)
  endif()
  if(COLDZOOM_PROGRAMS_CUDA)
    target_compile_definitions(coldzoom_examples PUBLIC COLDZOOM_PROGRAMS_CUDA)
    target_link_libraries(coldzoom_examples PUBLIC coldzoom::cuda)
  endif()
  set(device_units ${device_units} PARENT_SCOPE)
endfunction()

function(coldzoom_add_programs)
  cmake_parse_arguments(PARSE_ARGV 0 arg "" "TARGET" "METHODS;PROGRAMS")
  if(NOT arg_TARGET OR NOT arg_METHODS OR arg_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "coldzoom_add_programs: wanted TARGET name METHODS file.cpp... [PROGRAMS name...]")
  endif()
  set(known
    train sample check_degradation degrade restore show_samples test_loss test_restoration evaluate evaluate_run report summarize_run sort_samples pixel_distribution
    plot_reconstruction plot_restorations plot_schedules make_controls train_classifier convert_diffusers)
  if(NOT arg_PROGRAMS)
    set(arg_PROGRAMS ${known})
  endif()
  coldzoom_programs_library()
  set(methods)
  foreach(source IN LISTS arg_METHODS)
    cmake_path(ABSOLUTE_PATH source)
    list(APPEND methods ${source})
  endforeach()
  coldzoom_for_device(methods)
  # As objects, for nothing refers to what is in them.
  add_library(${arg_TARGET}_methods OBJECT EXCLUDE_FROM_ALL ${methods})
  target_link_libraries(${arg_TARGET}_methods PUBLIC coldzoom_examples)
  add_custom_target(${arg_TARGET} ALL)
  foreach(program IN LISTS arg_PROGRAMS)
    if(NOT program IN_LIST known)
      list(JOIN known ", " names)
      message(FATAL_ERROR "coldzoom_add_programs: found program '${program}', wanted one of ${names}")
    endif()
    set(target ${arg_TARGET}_${program})
    file(GLOB parts CONFIGURE_DEPENDS ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${program}/*.cpp)
    add_executable(${target} ${CMAKE_CURRENT_FUNCTION_LIST_DIR}/${program}.cpp ${parts})
    target_link_libraries(${target} PRIVATE ${arg_TARGET}_methods)
    set_target_properties(${target} PROPERTIES
      OUTPUT_NAME ${program} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/${arg_TARGET})
    add_dependencies(${arg_TARGET} ${target})
  endforeach()
endfunction()
