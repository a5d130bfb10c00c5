/// Trains any method of the table with any network of the table.

#include <cstdio>

#include "common/train_model.hpp"

namespace {

using namespace programs;

struct settings : training_settings {
  std::string method;
  bool list = false;
};

void print_tables() {
  std::printf("methods (--method):\n");
  for (const method_entry* method : methods()) {
    std::printf("  %-16s %s\n", method->name().c_str(), method->info().help.c_str());
  }
  std::printf("networks (--network):\n");
  for (const network_entry* network : networks()) {
    std::printf("  %-16s %s\n", network->info().name.c_str(), network->info().help.c_str());
  }
}

void train(machine& m, const settings& s) {
  if (s.list) return print_tables();
  train_model(m, method_of(s.method, s), s);
}

void add_options(options& o, settings& s) {
  o.add("--method", s.method, "what to undo: " + method_names());
  o.add_flag("--list", s.list, "name all methods and networks with a line each, and train none");
  add_training_options(o, s, methods());
}

}  // namespace

int main(int argc, char** argv) {
  return run_on_machine<settings>(
      argc, argv, "train",
      "Trains a network to undo the degradation of a method: x0, or the noise, from "
      "D(x0, t), t = 1 .. T.",
      add_options, train);
}
