// Both units include the whole library: a function that is not inline would be defined twice.
#include <coldzoom/coldzoom.hpp>
#include <string_view>

coldzoom::shape shape_of_one();

#ifdef PACKAGE_VERSION
static_assert(std::string_view(PACKAGE_VERSION) == COLDZOOM_VERSION_STRING);
#endif

int main() { return shape_of_one() == coldzoom::shape{1, 2, 3, 4} ? 0 : 1; }
