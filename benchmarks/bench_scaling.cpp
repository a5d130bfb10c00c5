// How the speed of training grows: images/s of a step of the reconstructor over batch size, image size,
// channels and threads. Prints JSON, one measurement a line, and writes the same as blocks for gnuplot.
// Driven by scaling.sh.
#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backend = cz::cpu_backend<float>;

double images_per_second(int threads, index_t batch, index_t size, const std::vector<index_t>& widths,
                         double seconds) {
  backend b(threads);
  const cz::shape image{1, 1, size, size};
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(image.with_n(batch).size()));
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(i * 2654435761u >> 24);
  const cz::dataset<backend, cz::centred> images(b, image.with_n(batch), bytes.data());
  cz::trainer_options options;
  options.batch_size = batch;
  cz::trainer trainer(b, cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(24)),
                      cz::reconstructor(image, widths), image, options);
  const auto step = [&](index_t epoch) { trainer.train_epoch(images, epoch, cz::constant_rate{1e-4}); };
  step(0);
  index_t steps = 0;
  const auto start = std::chrono::steady_clock::now();
  double passed = 0;
  for (; passed < seconds;
       passed = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count())
    step(++steps);
  return static_cast<double>(steps * batch) / passed;
}

class report {
 public:
  report(const char* gnuplot_file, double seconds) : file_(std::fopen(gnuplot_file, "w")), seconds_(seconds) {
    if (!file_) throw cz::error(gnuplot_file, "cannot be written");
    std::printf("[");
  }
  ~report() {
    std::printf("\n]\n");
    std::fclose(file_);
  }
  report(const report&) = delete;
  report& operator=(const report&) = delete;

  void begin(const std::string& block) { std::fprintf(file_, "\n\n# %s\n", block.c_str()); }
  /// Measures one point of the current block, which lies at x there.
  void point(index_t x, int threads, index_t batch, index_t size, const std::vector<index_t>& widths) {
    const double rate = images_per_second(threads, batch, size, widths, seconds_);
    std::fprintf(file_, "%td %g\n", x, rate);
    std::string channels;
    for (const index_t width : widths) channels += (channels.empty() ? "" : ", ") + std::to_string(width);
    std::printf(
        "%s\n {\"threads\": %d, \"batch_size\": %td, \"image_size\": %td, \"channels\": [%s], "
        "\"images_per_second\": %.1f}",
        separator_, threads, batch, size, channels.c_str(), rate);
    std::fflush(stdout);
    separator_ = ",";
  }

 private:
  std::FILE* file_;
  double seconds_;
  const char* separator_ = "";
};

void measure(const char* gnuplot_file, double seconds) {
  const std::vector<index_t> original{16, 32, 32, 16};
  const int all = cz::available_cpus();
  report out(gnuplot_file, seconds);
  for (const int threads : {1, all}) {
    const std::string suffix = threads == 1 ? " one" : " all";
    out.begin("batch" + suffix);
    for (index_t batch = 1; batch <= 512; batch *= 2) out.point(batch, threads, batch, 28, original);
    out.begin("size" + suffix);
    for (const index_t size : {16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 128})
      out.point(size, threads, 32, size, original);
    out.begin("channels" + suffix);
    for (const index_t c : {8, 16, 24, 32, 48, 64, 96, 128}) out.point(c, threads, 32, 28, {c, c, c, c});
    if (all == 1) break;
  }
  out.begin("threads");
  for (int threads = 1; threads <= all; ++threads) out.point(threads, threads, 128, 28, original);
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3) {
    std::fprintf(stderr, "usage: bench_scaling GNUPLOT_FILE SECONDS_PER_POINT   (driven by scaling.sh)\n");
    return 2;
  }
  try {
    measure(arguments[1], std::atof(arguments[2]));
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "bench_scaling: %s\n", failure.what());
    return 1;
  }
}
