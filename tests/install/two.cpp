// Both units include the whole library: a function that is not inline would be defined twice.
#include <coldzoom/coldzoom.hpp>

coldzoom::shape shape_of_one();

int main() { return shape_of_one() == coldzoom::shape{1, 2, 3, 4} ? 0 : 1; }
