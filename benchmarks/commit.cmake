# Writes OUT, a C++ unit that names the commit of SOURCE_DIR, and whether the sources differ from it; only where that
# has changed. Run at every build, for a commit needs no new configuration.
function(git out)
  execute_process(COMMAND git -C ${SOURCE_DIR} ${ARGN}
    OUTPUT_VARIABLE answer ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  set(${out} "${answer}" PARENT_SCOPE)
endfunction()
git(commit rev-parse --short HEAD)
git(changed status --porcelain --untracked-files=no -- include benchmarks)
if(NOT commit)
  set(commit unknown)
elseif(changed)
  string(APPEND commit " and changes")
endif()
file(CONFIGURE OUTPUT ${OUT} CONTENT
  "extern const char* const built_from_commit;\nconst char* const built_from_commit = \"${commit}\";\n")
