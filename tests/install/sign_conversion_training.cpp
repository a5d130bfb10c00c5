// Training and sampling, for warnings that templates give only where they are instantiated; see
// test_sign_conversion.sh.
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/testing/block_backend.hpp>
#include <coldzoom/training/checkpoint.hpp>

using namespace coldzoom;

auto labelled_network() {
  using stack = conv_stack<layer_norm_pixels, silu, embedding_addition>;
  std::vector<stack::block> blocks;
  blocks.push_back({conv2d::same(4, 4, 3), layer_norm_pixels(8, 8), embedding_addition(8, 4)});
  return embedded(time_label_embedding(8, 3),
                  sequence(stack(std::move(blocks)), film(8, 4), conv2d::same(4, 1, 3)));
}

template <class B> void train_and_sample(B& b) {
  const shape image{1, 1, 8, 8}, dims = image.with_n(256);
  dataset<B, unit> images(b, dims, std::vector<std::uint8_t>(256 * 64).data());
  images.set_labels(b, std::vector<std::uint8_t>(256), 3);
  images.set_conditions(b, dims, std::vector<float>(256 * 64).data());
  const key_sequence keys{1, stream::sampling, 0};
  image_buffer<B, unit> z(b, image.with_n(4));

  const auto plain = make_method(unit{}, zoom<nearest>{}, linear_schedule(26));
  trainer t(b, plain, reconstructor(image, {4, 4}), image, {.clip_norm = 1, .average_decays = {0.9}});
  t.train_epoch(images, 0);
  t.test_loss(images);
  save_checkpoint("checkpoint.safetensors", t, 1);
  load_checkpoint("checkpoint.safetensors", t);
  any_model<B, predict_x0> any(model(b, plain.predict, t.network(), image, to_host(b, t.best())));
  naive_sampler{}(b, any, plain.degradation, plain.schedule, 5, keys, z.view());
  tacos_sampler{}(b, any, plain.degradation, plain.schedule, 5, keys, z.view());

  const inputs input(plain_input{}, noise_input{}, self_input{}, condition_input{});
  const auto noisy = make_method(unit{}, gaussian_noise{}, ddpm_schedule::cosine(100), predict_velocity{},
                                 input, energy_score{}, min_snr_weight{});
  trainer u(b, noisy, labelled_network(), image, {.accumulate = 2, .label_dropout = 0.1}, adamw{});
  u.train_epoch(images, 0);
  model network(b, noisy.predict, u.network(), image, to_host(b, u.best()), input);
  guided guide(b, network, 2.0f, 3);
  ddim_sampler{}(b, guide, noisy.degradation, noisy.schedule, 5, keys, z.view());
  ddpm_sampler{}(b, network, noisy.degradation, noisy.schedule, 5, keys, z.view());
  dpm_solver_sampler{}(b, network, noisy.degradation, noisy.schedule, 5, keys, z.view());

  const sequence classes(conv2d::same(1, 4, 3), gelu{}, flatten{}, linear{256, 3});
  classifier_trainer c(b, unit{}, any_layer<B>(classes), image);
  c.train_epoch(images, 0);
  c.test(images);

  trainer s(b, plain, reconstructor(image, {4, 4}), image, {}, sgd{});
  s.train_epoch(images, 0);
}

template void train_and_sample(cpu_backend<float>&);
template void train_and_sample(testing::block_backend<float>&);
