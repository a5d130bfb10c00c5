#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom_programs/network.hpp>

const auto deep = programs::add_network(
    {.name = "deep", .help = "five blocks", .options = {{"channels", "hidden channels", {32}}}},
    [](const programs::network_settings& s) {
      const coldzoom::index_t width = s.number("channels");
      return coldzoom::reconstructor(s.image, {width, width, width, width, width});
    });
