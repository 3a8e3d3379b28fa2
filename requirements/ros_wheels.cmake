# Given to colcon as CMAKE_PROJECT_INCLUDE where ROS 2 comes from PyPI.
#
# The wheels' exported CMake files name header folders of the machine that built them
# (/opt/python/...), and CMake refuses to generate with a folder that is not there. Drop those
# folders from every imported target, once all packages are found. Harmless on any other ROS.

function(_drop_missing_include_folders)
  get_property(targets DIRECTORY PROPERTY IMPORTED_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(folders ${target} INTERFACE_INCLUDE_DIRECTORIES)
    if(folders)
      list(FILTER folders EXCLUDE REGEX "^/opt/python/")
      set_target_properties(${target} PROPERTIES INTERFACE_INCLUDE_DIRECTORIES "${folders}")
    endif()
  endforeach()
endfunction()

cmake_language(DEFER CALL _drop_missing_include_folders)
