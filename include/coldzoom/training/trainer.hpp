/// Trains a network to undo a degradation.
#pragma once

#include <algorithm>
#include <coldzoom/optim/learning_rate.hpp>
#include <coldzoom/optim/pairwise_sum.hpp>
#include <coldzoom/optim/updater.hpp>
#include <coldzoom/training/batch_order.hpp>
#include <coldzoom/training/draw.hpp>
#include <coldzoom/training/method.hpp>
#include <coldzoom/training/network_in_training.hpp>
#include <coldzoom/training/trainer_options.hpp>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Runs epochs of training:
///
///   t ~ U{1 .. T} or by the shares of the schedule,  x_t = D(x0, level(t)),
///   loss(network(input(x_t), time(t), label), target(x0, noise)),  update
///
/// with the policies of `Method`. Everything random is a function of (seed, epoch, place in the epoch), so a
/// run that is resumed from its state after an epoch continues to the same bits, on any number of threads.
/// The rest of an epoch that does not fill a batch is dropped.
///
/// Several ranks, see Communicator, share each batch, and the images of a test; all of them are given the same data, and
/// come to the same parameters and losses.
template <Backend B, class Method, class Network, class O = adam, class Rank = single_rank> class trainer {
  using R = typename Method::range;
  using D = typename Method::degradation_type;
  using S = typename Method::schedule_type;
  using P = typename Method::prediction;
  using I = typename Method::input_type;
  using L = typename Method::loss_type;
  using W = typename Method::weighting_type;
  using space = typename B::space;
  // The checks themselves say what is missing.
  static_assert((check_degradation<D, B>() && check_input<I, B>() && check_loss<L, B>()) || true);

 public:
  using backend = B;
  using method_type = Method;

  /// `image` gives C, H and W. Throws `error` for options out of range, for a network that does not turn the
  /// method's input into an image, and for a prediction that says nothing of the image at the last step.
  trainer(B& b, Method method, Network network, shape image, trainer_options options = {}, O optimizer = {},
          Rank rank = {})
      : b_(&b),
        method_(std::move(method)),
        image_(image.with_n(1)),
        options_(detail::checked(std::move(options), method_.schedule.steps(), rank.size())),
        ranks_(rank),
        part_(std::min(options_.batch_size, options_.share())),
        draws_(checked_draws(draws_of(method_.loss))),
        network_(b, std::move(network), input_shape(method_.input, image_), options_.batch_size * draws_,
                 draws_, options_.seed),
        updater_(b, parameters_of(network_.network()), std::move(optimizer),
                 {options_.clip_norm, options_.average_decays}, std::move(rank)),
        shares_sum_(b, shares_a_rank() > 1 ? network_.gradients().size() : 0, shares_a_rank()),
        x0_(images_of(1)),
        x_t_(images_of(1)),
        noise_(images_of(P::needs_amplitudes ? 1 : 0)),
        repeated_(images_of(draws_ > 1 ? draws_ : 0)),
        composed_(b.template allocate<float>(
            plain ? 0 : rows() * method_.input.channels(image_) * image_.pixels())),
        estimates_(images_of(self ? draws_ : 0)),
        pixel_weights_(images_of(detail::weighs_pixels<W> ? 1 : 0)),
        last_word_(b.template allocate<std::uint32_t>(options_.last_step + 1)),
        time_of_(b.template allocate<float>(method_.schedule.steps() + 1)),
        level_of_(b.template allocate<float>(method_.schedule.steps() + 1)),
        weight_of_(b.template allocate<float>(method_.schedule.steps() + 1)),
        time_(b.template allocate<float>(options_.batch_size)),
        level_(b.template allocate<float>(options_.batch_size)),
        weight_(b.template allocate<float>(options_.batch_size)),
        label_(b.template allocate<std::int32_t>(options_.batch_size)),
        row_time_(b.template allocate<float>(draws_ > 1 ? rows() : 0)),
        row_level_(b.template allocate<float>(draws_ > 1 ? rows() : 0)),
        row_label_(b.template allocate<std::int32_t>(draws_ > 1 ? rows() : 0)),
        loss_(b.template allocate<float>(options_.batch_size)),
        batch_loss_(b.template allocate<float>(part_ < options_.batch() ? options_.batch() : 0)) {
    require(network_.output() == image_, "trainer", [&] {
      return "the network turns " + to_string(input_shape(method_.input, image_)) + " into " +
             to_string(network_.output()) + ", wanted an image of " + to_string(image_);
    });
    detail::require_signal<P>("trainer", method_.degradation, method_.schedule, options_.last_step, image_);
    const std::vector<std::uint32_t> words = detail::words_of_steps(method_.schedule, options_.last_step);
    std::vector<float> times{0}, levels{0}, weights{0};  // nothing reads those of step 0
    for (int t = 1; t <= method_.schedule.steps(); ++t) {
      times.push_back(detail::time_of(method_.schedule, t));
      levels.push_back(method_.schedule.level(t));
      weights.push_back(static_cast<float>(
          detail::weight_at<P>(method_.weighting, method_.degradation, method_.schedule, t)));
    }
    b.upload(words.data(), last_word_.data(), static_cast<index_t>(words.size()));
    b.upload(times.data(), time_of_.data(), static_cast<index_t>(times.size()));
    b.upload(levels.data(), level_of_.data(), static_cast<index_t>(levels.size()));
    b.upload(weights.data(), weight_of_.data(), static_cast<index_t>(weights.size()));
  }

  /// One pass over the data in the order of `epoch` (any number, the same number gives the same order).
  /// `rate` is a LearningRate. Calls progress(batch_progress) after each batch; on a backend that sums
  /// without waiting, after the start of the next one. Returns the mean loss of the batches. Throws `error`
  /// where the data do not fill one batch, and at the first loss that is not finite.
  template <class Dataset, LearningRate Rate = constant_rate, class Progress = no_progress>
  double train_epoch(const Dataset& images, index_t epoch, const Rate& rate = {}, Progress&& progress = {}) {
    const index_t batch = options_.batch(), count = batches(images), n = part_, own = shares_a_rank();
    const index_range mine = part_of_rank(batch, ranks_.rank(), ranks_.size());
    check(images);
    require(count > 0, "train_epoch", [&] {
      return "the data set has " + std::to_string(images.size()) + " images; a batch takes " +
             std::to_string(batch);
    });
    epoch_order_.shuffle_images(*b_, images, options_.seed, epoch);
    const double scale = method_.loss.scale(image_.with_n(batch));
    double total = 0;
    const auto report = [&](index_t done, const std::array<double, 1>& sums) {
      total += sums[0];
      progress(batch_progress{done + 1, count, sums[0]});
    };
    batch_sums<B, 1> sums(*b_, epoch, count);
    for (index_t i = 0; i < count; ++i) {
      skip_images(images, mine.first);
      for (index_t at = mine.first; at < mine.last; at += n) {
        const index_t first = i * batch + at, in_share = at % options_.share();
        const auto place = static_cast<std::uint64_t>(epoch * images.size() + first);
        const key_sequence keys{options_.seed, stream::label_dropout, place};
        load(images, epoch_order_.part(first, n), &keys);
        degrade_images(detail::drawn_word{{options_.seed, stream::training_level, place}},
                       {options_.seed, stream::training_degradation, place}, n);
        const auto x = compose(options_.seed, place, n, pass::train);
        const bool ends_share = in_share + n == options_.share();
        network_.find_gradients(
            {in_share == 0, ends_share, at == mine.first}, x, side(n),
            row_keys(options_.seed, stream::dropout, place),
            [&](index_t row, const_activation<B> y, activation<B> dy) { find_losses(row, y, dy, n, scale); });
        if (ends_share && own > 1) shares_sum_.add(*b_, network_.gradients().data());
        // Not by the pass itself: where it is replayed, it writes to the same place for every part.
        if (n < batch) b_->copy(loss_.data(), batch_loss_.data() + at, n);
      }
      skip_images(images, batch - mine.last);
      if (own > 1) shares_sum_.finish(*b_, network_.gradients().data());
      if (n < batch) ranks_.gather(*b_, batch_loss_.data(), batch);
      sums.request({n < batch ? batch_loss_.data() : loss_.data()}, batch);
      updater_.update(*b_, network_.gradients(), network_.parameters(), rate(updater_.steps()));
      sums.report(report);
    }
    sums.flush(report);
    return total / static_cast<double>(count);
  }

  /// Mean loss of `best()` over all images, each at `draws` steps t with a draw of the degradation for each.
  /// They depend on its place alone: the same in every epoch and run. The steps are spread evenly, so the
  /// loss of a zoom model at one step for each of 10,000 digits was within 0.1 % of that at 16, of a noise
  /// model 0.4 %.
  template <class Dataset> double test_loss(const Dataset& images, index_t draws = 1) {
    check(images);
    require(draws >= 1, "test_loss",
            [&] { return "found " + std::to_string(draws) + " draws, wanted at least 1"; });
    const double scale = method_.loss.scale(image_.with_n(images.size()));
    const index_t parts = (images.size() + options_.batch_size - 1) / options_.batch_size;
    const index_range mine = part_of_rank(parts, ranks_.rank(), ranks_.size());
    test_sums_.resize(static_cast<std::size_t>(parts));
    double total = 0;
    network_.pack(best());
    for (index_t drawn = 0; drawn < draws; ++drawn) {
      test_order_.natural_images(*b_, images);
      skip_images(images, mine.first * options_.batch_size);
      for (index_t part = mine.first; part < mine.last; ++part) {
        const index_t first = part * options_.batch_size;
        const index_t n = std::min(options_.batch_size, images.size() - first);
        const auto place = static_cast<std::uint64_t>(drawn * images.size() + first);
        load(images, test_order_.part(first, n), nullptr);
        degrade_images(detail::spread_word{place}, {0, stream::test_degradation, place}, n);
        const auto x = compose(0, place, n, pass::predict);
        network_.predict(x, side(n), [&](index_t row, const_activation<B> y) {
          find_losses(row, y, activation<B>{}, n, scale);
        });
        test_sums_[static_cast<std::size_t>(part)] = b_->sum(loss_.data(), n);
      }
      ranks_.communicator().gather(test_sums_.data(), parts);
      for (const double sum : test_sums_) total += sum;
    }
    return total / static_cast<double>(draws);
  }

  /// Updates in one epoch over `images`.
  template <class Dataset> index_t batches(const Dataset& images) const {
    return images.size() / options_.batch();
  }
  const Method& method() const { return method_; }
  const Network& network() const { return network_.network(); }
  shape image() const { return image_; }
  const trainer_options& options() const { return options_; }
  B& on() const { return *b_; }
  /// The network at work, for passes of one's own between epochs.
  auto& passes() { return network_; }
  buffer_t<B>& parameters() { return network_.parameters(); }
  updater<B, O, Rank>& update() { return updater_; }

  /// The weights to keep: the first running average where there is one.
  buffer_t<B>& best() { return updater_.best(network_.parameters()); }

 private:
  static constexpr bool plain = std::same_as<I, plain_input>;
  static constexpr bool self = detail::self_conditioned<I>;

  index_t shares_a_rank() const { return options_.shares / ranks_.size(); }
  static index_t checked_draws(index_t draws) {
    require(draws >= 1, "trainer", [&] {
      return "the loss wants " + std::to_string(draws) + " draws of an image; it must want at least 1";
    });
    return draws;
  }
  /// Memory for the images of a part, `times` of each.
  buffer_t<B> images_of(index_t times) const {
    return b_->template allocate<float>(options_.batch_size * times * image_.image());
  }
  index_t rows() const { return options_.batch_size * draws_; }
  image_batch<R, float, space> view(buffer_t<B>& memory, index_t n) const {
    return image_batch<R, float, space>(tensor_view<float, space>(memory.data(), image_.with_n(n)));
  }

  template <class Dataset> void check(const Dataset& images) const {
    require(images.dims().with_n(1) == image_, "trainer", [&] {
      return "the data set is " + to_string(images.dims()) + "; the network wants images of " +
             to_string(image_);
    });
    require(options_.label_dropout == 0 || classes_of(images) > 0, "trainer",
            "labels are to be dropped, and the data set has none; call its set_labels first");
  }

  /// x0, its labels, and the images to condition on; changed by `keys`, null where nothing is trained.
  template <class Dataset>
  void load(const Dataset& images, vector_view<const std::int32_t, space> order, const key_sequence* keys) {
    constexpr bool same_range = std::same_as<typename Dataset::range, R>;
    static_assert(same_range,
                  "coldzoom: the data set has another value range than the trainer: write the same one, "
                  "such as centred, in both types; see docs/concepts/dataset.md");
    if constexpr (same_range) gather_images(*b_, images, order, keys, view(x0_, order.size));
    labelled_ = classes_of(images) > 0;
    if constexpr (LabelledDataset<Dataset>) {
      if (labelled_) images.gather_labels(*b_, order, label_.data());
    }
    if (labelled_ && keys != nullptr && options_.label_dropout > 0) {
      b_->for_each_index(order.size,
                         detail::drop_labels{*keys, static_cast<float>(options_.label_dropout),
                                             static_cast<std::int32_t>(classes_of(images)), label_.data()},
                         30);
    }
    condition_ = {};
    if constexpr (ConditionedDataset<Dataset>) {
      if (const index_t channels = images.condition_channels(); channels > 0) {
        const shape dims{order.size, channels, image_.h, image_.w};
        if (dims.size() * (draws_ + 1) > conditions_.size())
          conditions_ = b_->template allocate<float>(dims.size() * (draws_ + 1));
        images.gather_conditions(*b_, order, conditions_.data());
        condition_ = tensor_view<const float, space>(conditions_.data(), dims);
      }
    }
  }

  /// Draws t and makes x_t = D(x0, t) and the target, unless that is x0.
  template <class Word> void degrade_images(Word word, key_sequence keys, index_t n) {
    b_->for_each_index(n, detail::set_steps<Word>{word, options_.last_step, last_word_.data(),
                                                  time_of_.data(), level_of_.data(), weight_of_.data(),
                                                  time_.data(), level_.data(), weight_.data()});
    const image_batch<R, const float, space> x0 = view(x0_, n);
    const vector_view<const float, space> level{level_.data(), n};
    const D& d = method_.degradation;
    if constexpr (!P::needs_amplitudes) {
      degrade(*b_, d, x0, level, keys, view(x_t_, n));
    } else if constexpr (detail::draws_noise_at_once<D, B>) {
      d.draw_noise(*b_, keys, x0.dims, noise_.data());
      d.add_noise(*b_, x0, level, noise_.data(), view(x_t_, n));
    } else {
      degrade(*b_, d, x0, level, keys, view(x_t_, n));
      b_->for_each_index(n * image_.image(), detail::noise_of<D>{d, keys, image_.image(), noise_.data()}, 40);
    }
    if constexpr (P::needs_amplitudes && !std::same_as<P, predict_noise>) {
      b_->for_each_index(n * image_.image(),
                         detail::targets_of<P, D>{d, image_, x0.data, level_.data(), noise_.data()}, 20);
    }
    if constexpr (detail::weighs_pixels<W>) {
      b_->for_each_index(
          n * image_.image(),
          detail::fill_pixel_weights<W>{method_.weighting, level_.data(), image_, pixel_weights_.data()}, 20);
    }
  }

  /// The input of the network: a row for each draw of each image.
  tensor_view<const float, space> compose(std::uint64_t seed, std::uint64_t place, index_t n, pass mode) {
    tensor_view<const float, space> x_t = view(x_t_, n);
    if (draws_ > 1) {
      repeat(x_t_.data(), n, image_.image(), repeated_.data());
      repeat(time_.data(), n, 1, row_time_.data());
      repeat(level_.data(), n, 1, row_level_.data());
      if (labelled_) repeat(label_.data(), n, 1, row_label_.data());
      x_t = view(repeated_, n * draws_);
    }
    if constexpr (plain) {
      return x_t;
    } else {
      const index_t m = x_t.dims.n;
      input_context<B> context;
      context.x_t = x_t;
      context.time = {draws_ > 1 ? row_time_.data() : time_.data(), m};
      context.level = {draws_ > 1 ? row_level_.data() : level_.data(), m};
      context.condition = condition_;
      if (draws_ > 1 && condition_.data) {
        float* const from = conditions_.data();
        float* const to = from + condition_.dims.size();
        repeat(from, n, condition_.dims.image(), to);
        context.condition = tensor_view<const float, space>(to, condition_.dims.with_n(m));
      }
      context.keys = row_keys(seed, stream::input_noise, place);
      const tensor_view<float, space> to(composed_.data(), input_shape(method_.input, image_).with_n(m));
      method_.input.compose(*b_, context, to);
      if constexpr (self) {
        // What the network makes without an estimate goes in for half of the images.
        if (mode == pass::train) network_.pack(network_.parameters());
        network_.predict(to, side(n), [&](index_t row, const_activation<B> y) {
          unpack_images<B>(*b_, y, view(estimates_, m).images(row, y.dims.n));
        });
        if constexpr (P::needs_amplitudes) {
          b_->for_each_index(
              m * image_.image(),
              detail::estimates_of<P, D>{method_.degradation, image_, x_t.data, context.level.data, R::low,
                                         R::high, estimates_.data()},
              20);
        }
        if (mode == pass::train) {
          b_->for_each_index(
              m * image_.image(),
              detail::drop_estimates{
                  {seed, stream::self_conditioning, context.keys.first}, image_.image(), estimates_.data()},
              30);
        }
        context.previous = view(estimates_, m);
        method_.input.compose(*b_, context, to);
      }
      return to;
    }
  }
  /// Of the rows of the part whose images begin at `place`.
  key_sequence row_keys(std::uint64_t seed, stream purpose, std::uint64_t place) const {
    return {seed, purpose, place * static_cast<std::uint64_t>(draws_)};
  }
  template <class T> void repeat(const T* from, index_t n, index_t size, T* to) {
    b_->for_each_index(n * draws_ * size, detail::repeat_rows<T>{from, draws_, size, to}, 4);
  }
  side_inputs<B> side(index_t n) {
    side_inputs<B> inputs;
    inputs.time = {draws_ > 1 ? row_time_.data() : time_.data(), n * draws_};
    if (labelled_) inputs.label = {draws_ > 1 ? row_label_.data() : label_.data(), n * draws_};
    return inputs;
  }

  /// Losses of the images whose draws begin at `row`, out of the `n` images of a part.
  void find_losses(index_t row, const_activation<B> y, activation<B> dy, index_t n, double scale) {
    const index_t image = row / draws_, count = y.dims.n / draws_;
    const tensor_view<const float, space> target = view(P::needs_amplitudes ? noise_ : x0_, n);
    loss_weights<B> weights;
    if constexpr (!std::same_as<W, uniform_weight>) weights.image = {weight_.data() + image, count};
    if constexpr (detail::weighs_pixels<W>)
      weights.pixel =
          tensor_view<const float, space>(pixel_weights_.data(), image_.with_n(n)).images(image, count);
    method_.loss(*b_, y, target.images(image, count), weights, scale, dy,
                 vector_view<float, space>{loss_.data() + image, count});
  }

  B* b_;
  Method method_;
  shape image_;
  trainer_options options_;
  ranks_on<B, Rank> ranks_;
  index_t part_;   // images that go through the network at a time
  index_t draws_;  // rows of the network an image
  network_in_training<B, Network> network_;
  updater<B, O, Rank> updater_;
  pairwise_sum<B> shares_sum_;
  batch_order<B> epoch_order_, test_order_;  // apart, for a test may come between two batches
  buffer_t<B> x0_, x_t_, noise_, repeated_, composed_, estimates_, pixel_weights_;
  typename B::template buffer<std::uint32_t> last_word_;  // of the steps, see words_of_steps
  buffer_t<B> time_of_, level_of_, weight_of_;            // of the steps
  buffer_t<B> time_, level_, weight_, conditions_;
  typename B::template buffer<std::int32_t> label_;
  buffer_t<B> row_time_, row_level_;  // of the rows, where an image has several
  typename B::template buffer<std::int32_t> row_label_;
  tensor_view<const float, space> condition_;
  bool labelled_ = false;
  buffer_t<B> loss_, batch_loss_;  // of the images of a part; of all parts, where there are several
  std::vector<double> test_sums_;  // of the parts of a test
};

}  // namespace coldzoom::inline COLDZOOM_ISA
