/// The values that metrics compare: features of images, class probabilities, and the concept of an extractor.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/backend.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/range.hpp>
#include <coldzoom/data/dataset.hpp>
#include <string>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// n rows of d floats in host memory, row-major and dense; row i belongs to image i. Does not own.
struct feature_view {
  const float* data = nullptr;
  index_t n = 0, d = 0;

  const float* row(index_t i) const { return data + i * d; }
  /// Rows first .. first + count - 1.
  feature_view rows(index_t first, index_t count) const { return {row(first), count, d}; }
};

/// The same, owned: 4 n d bytes, zeros at first.
struct feature_set {
  index_t n = 0, d = 0;
  std::vector<float> values;

  feature_set() = default;
  feature_set(index_t rows, index_t cols) : n(rows), d(cols), values(static_cast<std::size_t>(rows * cols)) {}

  float* row(index_t i) { return values.data() + i * d; }
  const float* row(index_t i) const { return values.data() + i * d; }
  operator feature_view() const { return {values.data(), n, d}; }
};

/// A backend whose memory the host can read: the metrics run there. Features of a device backend come to the
/// host through `extract_features`.
template <class B>
concept HostBackend = Backend<B> && std::same_as<typename B::space, host_space>;

/// e(b, images, out) writes the features of images[i] to row i of `out`, which is n x e.size() x 1 x 1; the
/// features of an image must not depend on the batch. Pixels come in [0, 1]: a network that was trained on
/// another range converts them itself.
template <class E, class B>
concept FeatureExtractor = Backend<B> &&
    requires(E& e, B& b, image_batch<unit, const float, typename B::space> images,
             tensor_view<float, typename B::space> out) {
  { e.size() } -> std::same_as<index_t>;
  e(b, images, out);
};

namespace detail {

/// Throws `error` unless there are rows and every value is finite.
inline void check_rows(const char* where, const char* name, feature_view x) {
  require(x.n > 0 && x.d > 0, where, [&] {
    return "there are " + std::to_string(x.n) + " " + name + " of " + std::to_string(x.d) +
           " values; it needs at least one of each";
  });
  const float* end = x.data + x.n * x.d;
  const float* bad = std::find_if_not(x.data, end, [](float v) { return std::isfinite(v); });
  require(bad == end, where, [&] {
    return "value " + std::to_string((bad - x.data) % x.d) + " of row " +
           std::to_string((bad - x.data) / x.d) + " of the " + name + " is " + std::to_string(*bad) +
           "; it must be finite";
  });
}

/// The same for two sets that are compared.
inline void check_pair(const char* where, feature_view samples, feature_view reference) {
  check_rows(where, "samples", samples);
  check_rows(where, "reference rows", reference);
  require(samples.d == reference.d, where, [&] {
    return "the samples have " + std::to_string(samples.d) + " features, the reference " +
           std::to_string(reference.d) + "; they must come from one extractor";
  });
}

/// The rows `order[0]`, `order[1]`, ...
inline feature_set gather_rows(feature_view x, const std::int32_t* order, index_t count) {
  feature_set out(count, x.d);
  for (index_t i = 0; i < count; ++i) std::copy_n(x.row(order[i]), x.d, out.row(i));
  return out;
}

}  // namespace detail

/// Throws `error` for the first pixel that is NaN or outside range R by more than 1e-6, naming `where` (a
/// file, say), its place, its value and the range. For arrays from files, whose range no type tells. `first`
/// is the number of the first of these images there.
template <ValueRange R, class T>
void require_range(const std::string& where, image_batch<R, T> images, index_t first = 0) {
  constexpr float slack = 1e-6f;
  for (index_t n = 0; n < images.dims.n; ++n) {
    for (index_t c = 0; c < images.dims.c; ++c) {
      for (index_t y = 0; y < images.dims.h; ++y) {
        for (index_t x = 0; x < images.dims.w; ++x) {
          const float value = images(n, c, y, x);
          if (value >= R::low - slack && value <= R::high + slack) continue;
          throw error(where, "the pixel at image " + std::to_string(first + n) + ", channel " +
                                 std::to_string(c) + ", row " + std::to_string(y) + ", column " +
                                 std::to_string(x) + " is " + std::to_string(value) + "; pixels of range " +
                                 R::name + " lie from " + std::to_string(R::low) + " to " +
                                 std::to_string(R::high));
        }
      }
    }
  }
}

/// Explains what is missing where `E` is no feature extractor on backend `B`.
template <class E, class B> consteval bool check_feature_extractor() {
  constexpr bool extracts = FeatureExtractor<E, B>;
  static_assert(
      extracts,
      "coldzoom: give your feature extractor `index_t size() const` and `operator()(B& b, image_batch<unit, "
      "const float, B::space> images, tensor_view<float, B::space> out)`; see docs/concepts/metrics.md");
  return extracts;
}

namespace detail {

/// How many images go through an extractor at a time.
inline constexpr index_t extract_batch = 256;

template <class R> consteval bool check_unit() {
  constexpr bool is_unit = std::same_as<R, unit>;
  static_assert(is_unit,
                "coldzoom: metrics want pixels in [0, 1]: pass image_batch<unit, ...> or dataset<B, unit>; "
                "see docs/concepts/metrics.md");
  return is_unit;
}

/// `images(first, n)` gives a batch in the backend's memory.
template <Backend B, class E, class Images> feature_set extract(B& b, E& e, index_t count, Images images) {
  const index_t d = e.size();
  feature_set features(count, d);
  auto out = b.template allocate<float>(std::min(count, extract_batch) * d);
  for (index_t first = 0; first < count; first += extract_batch) {
    const index_t n = std::min(extract_batch, count - first);
    e(b, images(first, n), tensor_view<float, typename B::space>(out.data(), {n, d, 1, 1}));
    b.synchronize();
    b.download(out.data(), features.row(first), n * d);
  }
  check_rows("extract_features", "images", features);
  return features;
}

}  // namespace detail

/// The features of all images, in host memory. `images` in the backend's memory, any strides; they pass
/// through in batches of 256, so that memory beyond the n x d result stays flat. Throws `error` for no images
/// and for features that are not finite.
template <Backend B, class E, ValueRange R, class T>
feature_set extract_features(B& b, E&& e, image_batch<R, T, typename B::space> images) {
  if constexpr (detail::check_unit<R>() && check_feature_extractor<std::remove_reference_t<E>, B>()) {
    return detail::extract(b, e, images.dims.n, [&](index_t first, index_t n) {
      return image_batch<unit, const float, typename B::space>(images.images(first, n));
    });
  }
}

/// The same for a data set, which is read in its order.
template <Backend B, class E, ValueRange R, class Stored>
feature_set extract_features(B& b, E&& e, const dataset<B, R, Stored>& images) {
  if constexpr (detail::check_unit<R>() && check_feature_extractor<std::remove_reference_t<E>, B>()) {
    const index_t most = std::min(images.size(), detail::extract_batch);
    auto order = b.template allocate<std::int32_t>(images.size());
    b.upload(natural_order(images.size()).data(), order.data(), images.size());
    auto pixels = b.template allocate<float>(most * images.dims().image());
    return detail::extract(b, e, images.size(), [&](index_t first, index_t n) {
      using view = tensor_view<float, typename B::space>;
      const image_batch<unit, float, typename B::space> batch(view(pixels.data(), images.dims().with_n(n)));
      images.gather(b, {order.data() + first, n}, batch);
      return image_batch<unit, const float, typename B::space>(batch);
    });
  }
}

/// Each row of `logits` turned into probabilities, in double and without overflow.
inline feature_set softmax(feature_view logits) {
  detail::check_rows("softmax", "logits", logits);
  feature_set out(logits.n, logits.d);
  std::vector<double> exponential(static_cast<std::size_t>(logits.d));
  for (index_t i = 0; i < logits.n; ++i) {
    const float* row = logits.row(i);
    const double greatest = static_cast<double>(*std::max_element(row, row + logits.d));
    double total = 0;
    for (index_t j = 0; j < logits.d; ++j) {
      total += exponential[static_cast<std::size_t>(j)] = std::exp(static_cast<double>(row[j]) - greatest);
    }
    for (index_t j = 0; j < logits.d; ++j) {
      out.row(i)[j] = static_cast<float>(exponential[static_cast<std::size_t>(j)] / total);
    }
  }
  return out;
}

/// Rows that are probabilities of k classes; does not own them. Construction throws `error` for a negative
/// or non-finite value and for a row whose sum is not 1 within 1e-4.
class class_probabilities {
 public:
  explicit class_probabilities(feature_view rows) : rows_(rows) {
    detail::check_rows("class_probabilities", "rows", rows);
    for (index_t i = 0; i < rows.n; ++i) {
      double sum = 0;
      for (index_t c = 0; c < rows.d; ++c) {
        const float p = rows.row(i)[c];
        require(p >= 0, "class_probabilities", [&] {
          return "class " + std::to_string(c) + " of row " + std::to_string(i) + " has " + std::to_string(p) +
                 "; a probability is not negative: pass logits through softmax";
        });
        sum += static_cast<double>(p);
      }
      require(std::abs(sum - 1) <= 1e-4, "class_probabilities", [&] {
        return "row " + std::to_string(i) + " sums to " + std::to_string(sum) +
               ", not to 1: pass logits through softmax";
      });
    }
  }

  index_t size() const { return rows_.n; }
  index_t classes() const { return rows_.d; }
  const float* operator[](index_t i) const { return rows_.row(i); }
  /// The most probable class of row i (the first of equals) ...
  index_t predicted(index_t i) const {
    return std::max_element(rows_.row(i), rows_.row(i) + rows_.d) - rows_.row(i);
  }
  /// ... and its probability.
  float confidence(index_t i) const { return rows_.row(i)[predicted(i)]; }

 private:
  feature_view rows_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
