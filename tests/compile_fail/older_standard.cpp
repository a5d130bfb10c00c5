// expect: coldzoom needs C++20: add -std=c++20
#ifndef POSITIVE
#  undef __cplusplus
#  define __cplusplus 201703L
#endif
#include <coldzoom/core/config.hpp>
