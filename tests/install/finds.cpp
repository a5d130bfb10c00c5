// Small, for the whole library is compiled by one.cpp and two.cpp: here it is found, in C++20 and with threads.
#include <coldzoom/backend/cpu/thread_pool.hpp>
#include <string_view>

#ifdef PACKAGE_VERSION
static_assert(std::string_view(PACKAGE_VERSION) == COLDZOOM_VERSION_STRING);
#endif

int main() {
  int done = 0;
  coldzoom::thread_pool(1).run(1, [&](coldzoom::index_t, int) { ++done; });
  return done == 1 ? 0 : 1;
}
