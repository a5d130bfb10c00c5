// Compiled once per instruction set, with NAME set to what the function is to be called.
#include <coldzoom/coldzoom.hpp>
#include <string>

std::string NAME() {
  coldzoom::thread_pool pool(1);
  return to_string(coldzoom::shape{pool.threads(), 2, 3, 4});
}
