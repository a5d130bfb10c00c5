// The table of docs/backends.md says what the backends of the host do.
#define BOOST_TEST_MODULE table
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/backend/reference.hpp>

#include "common/backend_table.hpp"

BOOST_AUTO_TEST_CASE(docs_say_what_the_host_s_backends_do) {
  backend_table::check<coldzoom::reference_backend<float>>("reference_backend");
  backend_table::check<coldzoom::cpu_backend<float>>("cpu_backend");
}

BOOST_AUTO_TEST_CASE(cells_of_a_line) {
  const std::vector<std::string> wanted{"a b", "", "c"};
  BOOST_TEST(backend_table::cells("| a b |  | c |") == wanted, boost::test_tools::per_element());
}
