// Training from a tar archive of pictures beside training from memory: time an image, and the peak of memory.
//
//   bench_stream ARCHIVE.tar            one epoch from the archive; prints the peak of memory
//   bench_stream ARCHIVE.tar ROUNDS     epochs from the archive and from memory in turn; prints both times
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <coldzoom/backend/cpu/cpu_backend.hpp>
#include <coldzoom/data/streamed_images.hpp>
#include <coldzoom/degradation/zoom.hpp>
#include <coldzoom/interpolation/nearest.hpp>
#include <coldzoom/io/tar_pictures.hpp>
#include <coldzoom/nn/reconstructor.hpp>
#include <coldzoom/schedule/linear.hpp>
#include <coldzoom/training/trainer.hpp>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;

namespace {

using backend = cz::cpu_backend<float>;

/// Microseconds an image: passed, and of all CPUs, which other programs on the machine disturb less.
struct measured {
  double wall, cpu;
};

double median(const std::vector<measured>& all, double measured::*member) {
  std::vector<double> values;
  for (const measured& m : all) values.push_back(m.*member);
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

double cpu_seconds() {
  rusage used{};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

void run(const char* path, int rounds) {
  backend b;
  const cz::tar_pictures source({path});
  const cz::streamed_images<backend, cz::centred, cz::tar_pictures> stream(source);
  const cz::shape image = source.dims().with_n(1);
  cz::trainer trainer(b, cz::make_method(cz::centred{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(24)),
                      cz::reconstructor(image, {8, 8}), image, {.batch_size = 128});
  const auto time_of = [&](const auto& images, index_t epoch) {
    const auto start = std::chrono::steady_clock::now();
    const double cpu = cpu_seconds();
    trainer.train_epoch(images, epoch, cz::constant_rate{1e-4});
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    const double scale = 1e6 / static_cast<double>(trainer.batches(images) * 128);
    return measured{seconds * scale, (cpu_seconds() - cpu) * scale};
  };
  if (rounds == 0) {
    const double time = time_of(stream, 1).wall;
    rusage used{};
    getrusage(RUSAGE_SELF, &used);
    std::printf("%td images, %.1f us an image, peak of memory %.1f MB\n", source.dims().n, time,
                static_cast<double>(used.ru_maxrss) / 1024);
    return;
  }
  std::vector<std::uint8_t> pixels;
  for (index_t k = 0; k < source.segments(); ++k) {
    const cz::image_segment segment = source.read(k);
    pixels.insert(pixels.end(), segment.pixels.begin(), segment.pixels.end());
  }
  const cz::dataset<backend, cz::centred> memory(b, source.dims(), pixels.data());
  std::vector<measured> from_archive, from_memory;
  time_of(memory, 0);
  for (int round = 1; round <= rounds; ++round) {
    from_archive.push_back(time_of(stream, round));
    from_memory.push_back(time_of(memory, round));
  }
  for (const auto& [name, member] :
       {std::pair{"passed", &measured::wall}, std::pair{"of CPUs", &measured::cpu}}) {
    const double archive = median(from_archive, member), memory_alone = median(from_memory, member);
    std::printf(
        "%td images, medians of %d epochs, us an image %s: %.1f from the archive, %.1f from memory, ratio "
        "%.3f\n",
        source.dims().n, rounds, name, archive, memory_alone, archive / memory_alone);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: bench_stream ARCHIVE.tar [ROUNDS]\n");
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? std::atoi(argv[2]) : 0);
  } catch (const cz::error& failure) {
    std::fprintf(stderr, "%s\n", failure.what());
    return 1;
  }
}
