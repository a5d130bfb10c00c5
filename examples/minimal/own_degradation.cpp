/// A degradation of recordings, 1 x 1 x 64 samples of sound, and a network that undoes it. No data needed.
#include <cmath>
#include <coldzoom/coldzoom.hpp>
#include <cstdio>

using namespace coldzoom;

struct muffle {  // a moving average that grows longer with the level
  COLDZOOM_HD float operator()(image_view<const float> x0, index_t c, index_t y, index_t x,
                               float level) const {
    const index_t reach = static_cast<index_t>(level * 8);
    float sum = 0;
    for (index_t i = x - reach; i <= x + reach; ++i) sum += x0(c, y, (i + x0.w) % x0.w);
    return sum / static_cast<float>(2 * reach + 1);
  }
};
static_assert(PixelDegradation<muffle>);

int main() {
  cpu_backend<float> b;
  const shape sound{1, 1, 1, 64};
  std::vector<float> samples;
  for (index_t i = 0; i < 2048 * 64; ++i)  // each recording is a sine of its own frequency
    samples.push_back(std::sin(static_cast<float>(i % 64) * static_cast<float>(i / 64 % 32 + 1) * 0.098f));
  using sounds = dataset<cpu_backend<float>, symmetric, float>;
  const sounds all(b, sound.with_n(2048), samples.data());

  const auto method = make_method(symmetric{}, muffle{}, linear_schedule(8));
  trainer t(b, method, reconstructor(sound, {16, 16}, 9), sound, {.batch_size = 64});
  std::printf("test loss before %.4f\n", t.test_loss(all));
  for (int epoch = 1; epoch <= 3; ++epoch) t.train_epoch(all, epoch, constant_rate{3e-3});
  std::printf("test loss after  %.4f\n", t.test_loss(all));
}
