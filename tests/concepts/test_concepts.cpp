#define BOOST_TEST_MODULE concepts
#include <boost/test/unit_test.hpp>
#include <coldzoom/coldzoom.hpp>
#include <coldzoom/testing/backend_laws.hpp>
#include <coldzoom/testing/degradation_laws.hpp>
#include <coldzoom/testing/initial_state_laws.hpp>
#include <coldzoom/testing/schedule_laws.hpp>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace cz = coldzoom;
using cz::index_t;
using picture = cz::image_view<const float>;
using reference = cz::reference_backend<float>;

namespace {

// ---- Archetypes: each has what its concept demands and nothing else, in an odd form.

/// A memory space of its own, three lanes, indices from the last to the first, a product from the last term
/// of the inner loop outwards but in the order of k, and buffers with nothing but data() and size().
struct archetype_backend {
  struct space {};
  using real_type = float;
  static constexpr int lanes = 3;
  template <class T> class buffer {
   public:
    buffer() = default;
    explicit buffer(index_t n) : memory_(std::make_unique<T[]>(static_cast<std::size_t>(n))), size_(n) {}
    T* data() const { return memory_.get(); }
    index_t size() const { return size_; }

   private:
    std::unique_ptr<T[]> memory_;
    index_t size_ = 0;
  };

  explicit archetype_backend(int) {}
  archetype_backend(const archetype_backend&) = delete;

  template <class T> buffer<T> allocate(index_t n) { return buffer<T>(n); }
  template <class T> void copy(const T* from, T* to, index_t n) {
    if (n > 0) std::memcpy(to, from, static_cast<std::size_t>(n) * sizeof(T));
  }
  template <class T> void upload(const T* from, T* to, index_t n) { copy(from, to, n); }
  template <class T> void download(const T* from, T* to, index_t n) { copy(from, to, n); }
  template <class Kernel> void for_each_index(index_t n, Kernel kernel, index_t = 1) {
    for (index_t i = n; i-- > 0;) kernel(i);
  }
  double sum(const float* p, index_t n) {
    double total = 0;
    while (n > 0) total += static_cast<double>(p[--n]);
    return total;
  }
  void gemm(bool transpose_a, index_t m, index_t n, index_t k, const float* a, index_t lda, const float* b,
            index_t ldb, float* c, index_t ldc, bool accumulate) {
    for (index_t j = n; j-- > 0;) {
      for (index_t i = m; i-- > 0;) {
        float total = accumulate ? c[i * ldc + j] : 0;
        for (index_t l = 0; l < k; ++l) total += a[transpose_a ? l * lda + i : i * lda + l] * b[l * ldb + j];
        c[i * ldc + j] = total;
      }
    }
  }
  void synchronize() {}
};
static_assert(cz::Backend<archetype_backend> && !std::copyable<archetype_backend>);

/// The batch form with state that no kernel could hold.
struct archetype_degradation {
  std::vector<float> strength = std::vector<float>(1, 0.5f);
  std::unique_ptr<int> not_copyable;

  template <class B>
  void apply(B& b, cz::const_image_tensor<B> x0, cz::const_levels<B> level, cz::image_tensor<B> out) const {
    struct fade {
      cz::const_image_tensor<B> x0;
      cz::const_levels<B> level;
      cz::image_tensor<B> out;
      float strength;
      void operator()(index_t i) const {
        const index_t n = i / x0.dims.image();
        out.data[i] = x0.data[i] * (1 - strength * level[n]);
      }
    };
    b.for_each_index(x0.dims.size(), fade{x0, level, out, strength[0]});
  }
};
static_assert(cz::BatchDegradation<archetype_degradation, archetype_backend>);
static_assert(!cz::PixelDegradation<archetype_degradation>);

/// No default constructor, levels that start above 0 and end below 1.
class archetype_schedule {
 public:
  explicit archetype_schedule(float first) : first_(first) {}
  int steps() const { return 3; }
  float level(int t) const { return first_ + 0.1f * static_cast<float>(t); }

 private:
  float first_;
};
static_assert(cz::Schedule<archetype_schedule> && !cz::NoiseSchedule<archetype_schedule>);

/// Draws on one backend only, not copyable.
struct archetype_initial_state {
  using range = cz::unit;
  explicit archetype_initial_state(double) {}
  archetype_initial_state(archetype_initial_state&&) = delete;
  void draw(archetype_backend&, cz::key_sequence keys,
            cz::image_batch<cz::unit, float, archetype_backend::space> out) const {
    for (index_t i = 0; i < out.dims.size(); ++i)
      out.data[i] =
          cz::random_uniform(keys[i / out.dims.image()], static_cast<std::uint64_t>(i % out.dims.image()));
  }
};
static_assert(cz::InitialState<archetype_initial_state, archetype_backend> &&
              !cz::InitialState<archetype_initial_state, reference>);

/// One weight: y = w x. Keeps a sum in its workspace until `reduce_gradients`.
struct archetype_layer {
  template <class B> struct workspace {
    float sum = 0;
    std::unique_ptr<int> not_copyable;
  };
  explicit archetype_layer(int) {}
  cz::shape output_shape(cz::shape in) const { return in; }
  void describe(cz::parameter_list& list, const std::string& prefix) const {
    list.push_back({prefix + "w", {1}, 0.5f});
  }
  template <class B> workspace<B> make_workspace(B&, cz::shape, cz::pass) const { return {}; }
  template <class B> void pack_weights(B&, const float*, workspace<B>&) const {}
  template <class B>
  void forward(B&, const float* w, cz::const_activation<B> x, const cz::side_inputs<B>&, cz::activation<B> y,
               workspace<B>&) const {
    for (index_t i = 0; i < x.size(); ++i) y.data[i] = w[0] * x.data[i];
  }
  template <class B>
  void backward(B&, const float* w, cz::const_activation<B> x, const cz::side_inputs<B>&,
                cz::activation<B> dy, cz::activation<B> dx, float*, workspace<B>& ws) const {
    for (index_t i = 0; i < x.size(); ++i) ws.sum += dy.data[i] * x.data[i];
    for (index_t i = 0; dx.data && i < x.size(); ++i) dx.data[i] = w[0] * dy.data[i];
  }
  template <class B> void reduce_gradients(B&, float* gradients, workspace<B>& ws) const {
    gradients[0] += std::exchange(ws.sum, 0.0f);
  }
};
static_assert(cz::Layer<archetype_layer, archetype_backend> && cz::Layer<archetype_layer, reference>);

/// An interpolation without taps: the zoom then goes pixel by pixel.
struct archetype_interpolation {
  float operator()(picture crop, index_t c, index_t y, index_t x, index_t h, index_t w) const {
    return cz::bilinear{}(crop, c, y, x, h, w);
  }
};
static_assert(cz::Interpolation<archetype_interpolation> &&
              !cz::SeparableInterpolation<archetype_interpolation>);

/// Features on one backend only, not copyable, not const.
struct archetype_extractor {
  explicit archetype_extractor(int) {}
  archetype_extractor(archetype_extractor&&) = delete;
  index_t size() { return 1; }
  void operator()(archetype_backend&, cz::image_batch<cz::unit, const float, archetype_backend::space> images,
                  cz::tensor_view<float, archetype_backend::space> out) {
    for (index_t n = 0; n < images.dims.n; ++n) out(n, 0, 0, 0) = images(n, 0, 0, 0);
  }
};
static_assert(cz::FeatureExtractor<archetype_extractor, archetype_backend> &&
              !cz::FeatureExtractor<archetype_extractor, reference>);

// ---- Backend
struct no_sum : archetype_backend {
  void sum() = delete;
};
struct integer_backend : archetype_backend {
  using real_type = int;
};
static_assert(cz::Backend<reference> && cz::Backend<cz::cpu_backend<double>>);
static_assert(!cz::Backend<no_sum> && !cz::Backend<integer_backend> && !cz::Backend<int>);

// ---- Layer
struct changes_itself : archetype_layer {
  void pack_weights(int) = delete;
};
struct no_finish : archetype_layer {
  void reduce_gradients() const = delete;
};
struct loose_shape : archetype_layer {
  index_t output_shape(cz::shape in) const { return in.n; }
};
static_assert(cz::Layer<cz::conv2d, reference> && cz::Layer<cz::reconstructor, cz::cpu_backend<float>>);
static_assert(cz::Layer<cz::gelu, reference> && cz::Layer<cz::linear, reference>);
static_assert(!cz::Layer<changes_itself, reference> && !cz::Layer<no_finish, reference>);
static_assert(!cz::Layer<loose_shape, reference> && !cz::Layer<cz::plain_layer, reference>);
static_assert(!cz::Layer<archetype_layer, int>);

// ---- Schedule, NoiseSchedule
struct double_level : archetype_schedule {
  double level(int) const { return 0; }
};
struct unsigned_steps : archetype_schedule {
  unsigned steps() const { return 3; }
};
struct fixed_schedule : archetype_schedule {
  const int seed = 0;  // cannot be assigned
};
static_assert(cz::Schedule<cz::linear_schedule> && cz::Schedule<cz::ddpm_schedule>);
static_assert(cz::NoiseSchedule<cz::ddpm_schedule> && !cz::NoiseSchedule<cz::linear_schedule>);
static_assert(cz::NoiseSchedule<cz::zero_terminal_snr<cz::ddpm_schedule>>);
static_assert(cz::Schedule<cz::karras_schedule> && !cz::NoiseSchedule<cz::karras_schedule>);
static_assert(!cz::Schedule<double_level> && !cz::Schedule<unsigned_steps> && !cz::Schedule<fixed_schedule>);

// ---- FeatureExtractor
struct loose_size : archetype_extractor {
  int size() { return 1; }
};
struct centred_extractor : archetype_extractor {
  void operator()(archetype_backend&, cz::image_batch<cz::centred, const float, archetype_backend::space>,
                  cz::tensor_view<float, archetype_backend::space>) {}
};
static_assert(!cz::FeatureExtractor<loose_size, archetype_backend> &&
              !cz::FeatureExtractor<centred_extractor, archetype_backend> &&
              !cz::FeatureExtractor<int, archetype_backend>);

// ---- Interpolation
struct remembers : archetype_interpolation {
  std::vector<float> weights;
};
struct integer_result {
  int operator()(picture, index_t, index_t, index_t, index_t, index_t) const { return 0; }
};
struct not_const {
  float operator()(picture, index_t, index_t, index_t, index_t, index_t) { return 0; }
};
static_assert(cz::SeparableInterpolation<cz::nearest> && cz::SeparableInterpolation<cz::bilinear>);
static_assert(!cz::Interpolation<remembers> && !cz::Interpolation<integer_result> &&
              !cz::Interpolation<not_const>);

// ---- Degradation
struct pixel_form {
  float operator()(picture x0, index_t c, index_t y, index_t x, float level) const {
    return level * x0(c, y, x);
  }
};
struct keyed_form {
  using range = cz::centred;
  float operator()(picture, index_t, index_t, index_t, float, cz::sample_key) const { return 0; }
};
struct heavy_pixel : pixel_form {
  std::string name;
};
struct double_pixel {
  double operator()(picture, index_t, index_t, index_t, float) const { return 0; }
};
struct host_batch {  // for host memory alone
  template <class B>
    requires std::same_as<typename B::space, cz::host_space>
  void apply(B&, cz::const_image_tensor<B>, cz::const_levels<B>, cz::image_tensor<B>) const {}
};
struct mutable_batch {
  template <class B> void apply(B&, cz::const_image_tensor<B>, cz::const_levels<B>, cz::image_tensor<B>) {}
};
static_assert(cz::PixelDegradation<pixel_form> && cz::PixelDegradation<keyed_form>);
static_assert(cz::PixelDegradation<cz::zoom<cz::nearest>> && cz::PixelDegradation<cz::gaussian_noise>);
static_assert(!cz::PixelDegradation<heavy_pixel> && !cz::PixelDegradation<double_pixel>);
static_assert(!cz::BatchDegradation<pixel_form, reference> && cz::Degradation<pixel_form, reference>);
static_assert(cz::BatchDegradation<host_batch, reference> &&
              !cz::BatchDegradation<host_batch, archetype_backend>);
static_assert(!cz::BatchDegradation<mutable_batch, reference>);
static_assert(cz::BatchDegradation<cz::any_degradation<reference, cz::unit>, reference>);
static_assert(cz::AcceptsRange<keyed_form, cz::centred> && !cz::AcceptsRange<keyed_form, cz::unit>);
static_assert(cz::AcceptsRange<pixel_form, cz::centred> && cz::AcceptsRange<pixel_form, cz::unit>);

// ---- InitialState
struct no_range {
  template <class B, class Batch> void draw(B&, cz::key_sequence, Batch) const {}
};
static_assert(cz::InitialState<cz::pixel_histogram<cz::centred>, reference>);
static_assert(cz::InitialState<cz::patch_bank<cz::unit, cz::bilinear, reference>, reference>);
static_assert(!cz::InitialState<no_range, reference> && !cz::InitialState<int, reference>);

// ---- LearningRate
static_assert(cz::LearningRate<cz::constant_rate> && cz::LearningRate<cz::warmup_cosine>);
static_assert(cz::LearningRate<decltype([](index_t step) { return 1.0f / static_cast<float>(step + 1); })>);
static_assert(!cz::LearningRate<double> && !cz::LearningRate<decltype([](index_t) { return "fast"; })>);

// ---- Loss
struct no_scale {
  template <class B> using target = cz::const_tensor<B>;
  template <class... Any> void operator()(Any&&...) const {}
};
struct any_loss : no_scale {
  double scale(cz::shape) const { return 1; }
};
static_assert(cz::Loss<cz::mean_squared_error, reference> && cz::Loss<cz::softmax_cross_entropy, reference>);
static_assert(cz::Loss<any_loss, archetype_backend> && !cz::Loss<no_scale, reference>);

// ---- Prediction
/// On another scale, with more than is asked.
struct archetype_prediction {
  static constexpr char name[] = "half";
  static constexpr int needs_amplitudes = 0;
  explicit archetype_prediction(int) {}
  static double target(double x0, double, cz::amplitudes) { return x0 / 2; }
  static double x0(double, double y, cz::amplitudes) { return 2 * y; }
  static double noise(double z, double y, cz::amplitudes a) { return (z - a.signal * 2 * y) / a.noise; }
};
struct float_target : cz::predict_x0 {
  static float target(double, double, cz::amplitudes) { return 0; }
};
struct no_conversion : cz::predict_x0 {
  static void noise() = delete;
};
struct unnamed_prediction : cz::predict_x0 {
  static constexpr int name = 1;
};
static_assert(cz::Prediction<archetype_prediction> && cz::Prediction<cz::predict_flow>);
static_assert(!cz::Prediction<float_target> && !cz::Prediction<no_conversion> &&
              !cz::Prediction<unnamed_prediction> && !cz::Prediction<int>);

// ---- Model
struct perfect {  // knows the answer; a template, and not copyable
  using prediction = cz::predict_x0;
  std::vector<float> x0;
  std::unique_ptr<int> not_copyable{};
  template <class Space>
  void operator()(cz::tensor_view<const float, Space>, const cz::sampling_step&,
                  cz::tensor_view<float, Space> out) {
    for (index_t i = 0; i < out.dims.size(); ++i) out.data[i] = x0[static_cast<std::size_t>(i)];
  }
};
struct says_nothing : perfect {
  using prediction = int;
};
struct takes_a_time {
  using prediction = cz::predict_x0;
  void operator()(cz::tensor_view<const float>, float, cz::tensor_view<float>) const {}
};
using function = decltype([](auto, const cz::sampling_step&, auto) {});
static_assert(cz::Model<perfect, archetype_backend> && cz::Model<perfect, reference>);
static_assert(cz::Model<cz::any_model<reference, cz::predict_noise>, reference>);
static_assert(cz::Model<cz::predicting_function<cz::predict_flow, function>, reference>);
static_assert(cz::Model<cz::model<reference, cz::predict_x0, cz::conv2d>, reference>);
static_assert(!cz::Model<says_nothing, reference> && !cz::Model<takes_a_time, reference>);
static_assert(!cz::Model<function, reference> && !cz::Model<cz::conv2d, reference> &&
              !cz::Model<int, reference>);
static_assert(!cz::Model<cz::predictor<reference, cz::conv2d>, reference>);

// ---- Input
struct archetype_input {  // on one backend alone
  explicit archetype_input(int) {}
  index_t channels(cz::shape image) const { return image.c; }
  void compose(archetype_backend& b, const cz::input_context<archetype_backend>& context,
               cz::tensor_view<float, archetype_backend::space> to) const {
    b.copy(context.x_t.data, to.data, to.dims.size());
  }
};
struct int_channels : archetype_input {
  int channels(cz::shape) const { return 1; }
};
struct composes_once : archetype_input {
  void compose() = delete;
};
static_assert(cz::Input<archetype_input, archetype_backend> && !cz::Input<archetype_input, reference>);
static_assert(cz::Input<cz::plain_input, reference> && cz::Input<cz::noise_input, archetype_backend>);
static_assert(cz::Input<cz::inputs<cz::plain_input, cz::self_input>, reference>);
static_assert(cz::Input<cz::scaled_input<cz::exploding_noise>, archetype_backend>);
static_assert(!cz::Input<int_channels, archetype_backend> && !cz::Input<composes_once, archetype_backend>);

// ---- Weighting
struct late_steps {
  explicit late_steps(int) {}
  float step_weight(double time, double, double) const { return static_cast<float>(time); }
};
struct one_argument {
  double step_weight(double) const { return 1; }
};
struct named_weight {
  const char* pixel_weight(float, cz::shape, index_t, index_t, index_t) const { return "heavy"; }
};
struct middle {
  float operator()(float, const cz::shape&, index_t, index_t, index_t) const { return 1; }
};
static_assert(cz::Weighting<late_steps> && cz::Weighting<cz::region_weight<middle>>);
static_assert(cz::Weighting<cz::frontier_weight<cz::soft_frontier<cz::zoom_order>>>);
static_assert(!cz::Weighting<one_argument> && !cz::Weighting<named_weight> && !cz::Weighting<int>);

// ---- Additive
struct no_noise : cz::flow_noise {
  void noise() = delete;
};
static_assert(cz::UniformlyAdditive<cz::gaussian_noise> && cz::UniformlyAdditive<cz::flow_noise>);
static_assert(cz::UniformlyAdditive<cz::exploding_noise> && !cz::VariancePreserving<cz::exploding_noise>);
static_assert(cz::VariancePreserving<cz::gaussian_noise> && !cz::VariancePreserving<cz::flow_noise>);
static_assert(!cz::Additive<cz::zoom<cz::nearest>> && !cz::Additive<no_noise> && !cz::Additive<pixel_form>);

// ---- Framed
static_assert(cz::Framed<cz::zoom<cz::nearest>> && !cz::Framed<cz::zoom<cz::bilinear>> &&
              !cz::Framed<cz::masked<cz::zoom_order>> && !cz::Framed<cz::gaussian_noise>);

// ---- LossOrder
struct archetype_order {  // never lost, whatever the element
  explicit archetype_order(int) {}
  float operator()(cz::shape, index_t, index_t, index_t) const { return 1; }
};
struct double_order {
  double operator()(cz::shape, index_t, index_t, index_t) const { return 0.5; }
};
struct order_of_pixels {  // no channel
  float operator()(cz::shape, index_t, index_t) const { return 0.5f; }
};
struct heavy_order : archetype_order {
  std::vector<float> levels;
};
struct mutable_order {
  float operator()(cz::shape, index_t, index_t, index_t) { return 0.5f; }
};
static_assert(cz::LossOrder<cz::zoom_order> && cz::LossOrder<archetype_order>);
static_assert(cz::PixelDegradation<cz::masked<cz::zoom_order>> && !cz::Additive<cz::masked<cz::zoom_order>>);
static_assert(cz::FieldAdditive<cz::soft_frontier<archetype_order>>);
static_assert(!cz::LossOrder<double_order> && !cz::LossOrder<order_of_pixels> &&
              !cz::LossOrder<heavy_order> && !cz::LossOrder<mutable_order> && !cz::LossOrder<int>);

// ---- A method finds its policies in any order.
using odd_method =
    decltype(cz::make_method(cz::unit{}, cz::gaussian_noise{}, cz::ddpm_schedule::linear(),
                             cz::min_snr_weight{}, cz::huber{}, cz::noise_input{}, cz::predict_velocity{}));
static_assert(
    std::same_as<odd_method, cz::method<cz::unit, cz::gaussian_noise, cz::ddpm_schedule, cz::predict_velocity,
                                        cz::noise_input, cz::huber, cz::min_snr_weight>>);
static_assert(
    std::same_as<decltype(cz::make_method(cz::unit{}, cz::zoom<cz::nearest>{}, cz::linear_schedule(24))),
                 cz::method<cz::unit, cz::zoom<cz::nearest>, cz::linear_schedule>>);

}  // namespace

BOOST_AUTO_TEST_CASE(archetypes_obey_the_laws) {
  archetype_backend b(0);
  BOOST_CHECK_NO_THROW(cz::testing::backend_laws(b));
  BOOST_CHECK_NO_THROW(cz::testing::schedule_laws(archetype_schedule(0.2f)));
  BOOST_CHECK_NO_THROW(
      cz::testing::degradation_laws<cz::unit>(archetype_degradation{}, {.strided = false}, {3, 1, 5, 4}, b));
  BOOST_CHECK_NO_THROW(cz::testing::degradation_laws<cz::unit>(
      cz::zoom<archetype_interpolation>{.last_step = 3}, {}, {3, 1, 5, 4}, b));
  BOOST_CHECK_NO_THROW(cz::testing::initial_state_laws(archetype_initial_state(1), {}, {3, 1, 5, 4}, b));
}

BOOST_AUTO_TEST_CASE(archetypes_extract) {
  archetype_backend b(0);
  archetype_extractor extractor(0);
  const cz::shape dims{300, 1, 5, 4};
  const std::vector<float> pixels = cz::testing::random_values(dims.size(), 1, 0, 1);
  auto memory = b.allocate<float>(dims.size());
  b.upload(pixels.data(), memory.data(), dims.size());
  using view = cz::tensor_view<const float, archetype_backend::space>;
  const cz::image_batch<cz::unit, const float, archetype_backend::space> images(view(memory.data(), dims));
  const cz::feature_set features = cz::extract_features(b, extractor, images);
  const cz::dataset<archetype_backend, cz::unit, float> set(b, dims, pixels.data());
  BOOST_TEST(cz::extract_features(b, extractor, set).values == features.values);
  for (index_t n = 0; n < 300; ++n)
    BOOST_REQUIRE(features.row(n)[0] == pixels[static_cast<std::size_t>(20 * n)]);
}

BOOST_AUTO_TEST_CASE(archetypes_train) {
  archetype_backend b(0);
  const cz::shape image{1, 1, 5, 4};
  const std::vector<float> train = cz::testing::random_values(40 * 20, 1, 0, 1);
  const cz::dataset<archetype_backend, cz::unit, float> images(b, image.with_n(40), train.data());
  cz::trainer t(
      b, cz::make_method(cz::unit{}, archetype_degradation{}, archetype_schedule(0.2f), archetype_input(1)),
      archetype_layer(1), image, cz::trainer_options{.batch_size = 8});
  const double before = t.test_loss(images);
  for (index_t epoch = 1; epoch <= 100; ++epoch) t.train_epoch(images, epoch, [](index_t) { return 0.01f; });
  // x0 = x_t / (1 - strength * level), level 0.3, 0.4 or 0.5: the best single weight lies between.
  const float weight = t.best().data()[0];
  BOOST_TEST_MESSAGE("weight " << weight);
  BOOST_TEST((weight > 1 / 0.85f && weight < 1 / 0.75f));
  BOOST_TEST(t.test_loss(images) < before / 100);
}

BOOST_AUTO_TEST_CASE(the_sampler_of_a_perfect_network_returns_x0) {
  archetype_backend b(0);
  const cz::shape dims{3, 1, 5, 4};
  perfect network{cz::testing::random_values(dims.size(), 1, 0, 1)};
  using batch = cz::image_batch<cz::unit, float, archetype_backend::space>;
  const auto sample = [&](auto sampler, float first) {
    auto memory = b.allocate<float>(dims.size());
    const batch z(cz::tensor_view<float, archetype_backend::space>(memory.data(), dims));
    archetype_initial_state(1).draw(b, {}, z);
    sampler(b, network, archetype_degradation{}, archetype_schedule(first), 3, {}, z);
    return cz::testing::to_host<float>(b, memory.data(), dims.size());
  };
  BOOST_TEST(sample(cz::naive_sampler{}, 0.2f) == network.x0);

  // Algorithm 2 only moves by differences: it keeps what z had of its own.
  const std::vector<float> moved = sample(cz::tacos_sampler{}, 0);
  auto start = b.allocate<float>(dims.size());
  archetype_initial_state(1).draw(
      b, {}, batch(cz::tensor_view<float, archetype_backend::space>(start.data(), dims)));
  for (std::size_t i = 0; i < moved.size();
       ++i)  // D(x0, 0) - D(x0, 3) = 0.5 * 0.3 * x0; three roundings a step
    BOOST_TEST(std::abs(moved[i] - (start.data()[i] + 0.15f * network.x0[i])) < 0x1p-20f);
}
