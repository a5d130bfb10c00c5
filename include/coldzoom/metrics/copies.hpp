/// Samples that repeat a training image, or each other.
#pragma once

#include <coldzoom/metrics/pair_blocks.hpp>
#include <limits>

namespace coldzoom::inline COLDZOOM_ISA {

/// The nearest reference image by Euclidean distance over all pixels; index -1 and infinity where none lies
/// within the radius that was searched.
struct nearest_image {
  float distance = std::numeric_limits<float>::infinity();
  index_t index = -1;
};

namespace detail {

/// Images as dense rows, and what a first look compares: for every cell of 4 x 4 pixels (less at the edge) of
/// a channel, sum / sqrt(pixels). By the inequality of Cauchy and Schwarz, two sketches are never further
/// apart than their images.
struct image_sketches {
  static constexpr index_t cell = 4;

  shape dims;
  feature_view pixels;
  float* sketches;  // [n][size()]

  static index_t size(const shape& d) { return d.c * ((d.h + cell - 1) / cell) * ((d.w + cell - 1) / cell); }

  /// Index: image.
  void operator()(index_t n) const {
    float* out = sketches + n * size(dims);
    for (index_t c = 0; c < dims.c; ++c) {
      for (index_t top = 0; top < dims.h; top += cell) {
        for (index_t left = 0; left < dims.w; left += cell) *out++ = cell_sum(n, c, top, left);
      }
    }
  }

 private:
  float cell_sum(index_t n, index_t c, index_t top, index_t left) const {
    const float* image = pixels.row(n) + c * dims.pixels();
    const index_t bottom = std::min(top + cell, dims.h), right = std::min(left + cell, dims.w);
    double sum = 0;
    for (index_t y = top; y < bottom; ++y) {
      for (index_t x = left; x < right; ++x) sum += static_cast<double>(image[y * dims.w + x]);
    }
    return static_cast<float>(sum / std::sqrt(static_cast<double>((bottom - top) * (right - left))));
  }
};

/// Squared distance of two rows, or a part of it that exceeds `limit` already.
inline float squared_distance(const float* x, const float* y, index_t d, float limit) {
  constexpr index_t lanes = native_lanes<float>, stride = 8 * lanes;
  vec<float, lanes> total{};
  index_t i = 0;
  for (; i + lanes <= d; i += lanes) {
    total = squared_difference::add(load<lanes>(x + i), load<lanes>(y + i), total);
    if (i % stride == stride - lanes && sum_lanes<float, lanes>(total) > limit) break;
  }
  float sum = sum_lanes<float, lanes>(total);
  for (; i < d; ++i) sum += (x[i] - y[i]) * (x[i] - y[i]);
  return sum;
}

/// Looks through a block of sketch distances: first the image of the nearest sketch, then every one whose
/// sketch is not too far. Index: row of the block.
struct search_block {
  pair_block block;
  feature_view queries, reference;  // pixels
  index_t first_reference, sketch_size;
  bool skip_self;
  float* best;     // squared
  index_t* found;  // [n]

  void operator()(index_t i) const {
    const index_t query = block.first_x + i;
    const float* bounds = block.row(i);
    look(query, std::min_element(bounds, bounds + block.cols) - bounds);
    float limit = sketch_limit(best[query]);
    for (index_t j = 0; j < block.cols; ++j) {
      if (bounds[j] > limit) continue;
      look(query, j);
      limit = sketch_limit(best[query]);
    }
  }

 private:
  void look(index_t query, index_t col) const {
    const index_t row = block.first_y + col, index = first_reference + row;
    if (skip_self && index == query) return;
    const float distance = squared_distance(queries.row(query), reference.row(row), queries.d, best[query]);
    if (distance > best[query] || (distance == best[query] && (found[query] < 0 || index >= found[query])))
      return;
    best[query] = distance;
    found[query] = index;
  }
  /// No image nearer than sqrt(squared) has a sketch further than this, squared. The slack is for rounding:
  /// a sketch value is at most 4 and off by 2^-22, a sum of k squares by a share below k 2^-24.
  float sketch_limit(float squared) const {
    const float distance = std::sqrt(squared) + 0x1p-20f * std::sqrt(static_cast<float>(sketch_size));
    return distance * distance * (1 + 0x1p-23f * static_cast<float>(sketch_size + queries.d));
  }
};

/// Dense rows and their sketches.
template <HostBackend B> class sketched_images {
 public:
  sketched_images(B& b, shape dims)
      : dims_(dims),
        pixels_(b.template allocate<float>(dims.size())),
        sketches_(b.template allocate<float>(dims.n * sketch_size())) {}

  index_t sketch_size() const { return image_sketches::size(dims_); }
  feature_view pixels() const { return {pixels_.data(), dims_.n, dims_.image()}; }
  feature_view sketches() const { return {sketches_.data(), dims_.n, sketch_size()}; }

  /// Takes `images` to the first rows.
  void take(B& b, const char* where, image_batch<unit, const float> images) {
    require_range(where, images);
    float* out = pixels_.data();
    for (index_t n = 0; n < images.dims.n; ++n) {
      for (index_t c = 0; c < dims_.c; ++c) {
        for (index_t y = 0; y < dims_.h; ++y) {
          for (index_t x = 0; x < dims_.w; ++x) *out++ = images(n, c, y, x);
        }
      }
    }
    b.for_each_index(images.dims.n, image_sketches{dims_, pixels(), sketches_.data()}, dims_.image());
  }

 private:
  shape dims_;
  host_buffer<float> pixels_, sketches_;
};

struct search_options {
  float radius;
  bool skip_self;
};

/// `read(first, n)` gives reference images first .. first + n - 1.
template <HostBackend B, class Read>
std::vector<nearest_image> search_images(B& b, const char* where, image_batch<unit, const float> queries,
                                         shape reference, Read read, search_options options) {
  constexpr index_t most = 4096;
  const shape d = queries.dims;
  require(d.size() > 0 && d.with_n(reference.n) == reference && reference.n > 0, where, [&] {
    return "the images are " + to_string(d) + ", the reference " + to_string(reference) +
           "; they must agree but for their number, which must not be 0";
  });
  sketched_images<B> images(b, d), part(b, reference.with_n(std::min(most, reference.n)));
  images.take(b, where, queries);
  const std::size_t count = static_cast<std::size_t>(d.n);
  std::vector<float> best(count, options.radius * options.radius);
  std::vector<index_t> found(count, -1);
  for (index_t first = 0; first < reference.n; first += most) {
    const index_t n = std::min(most, reference.n - first);
    part.take(b, where, read(first, n));
    for_each_pair_block<squared_difference>(
        b, images.sketches(), part.sketches().rows(0, n), [&](const pair_block& block) {
          b.for_each_index(block.rows,
                           search_block{block, images.pixels(), part.pixels(), first, part.sketch_size(),
                                        options.skip_self, best.data(), found.data()},
                           4 * block.cols);
        });
  }
  std::vector<nearest_image> out(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (found[i] >= 0) out[i] = {std::sqrt(best[i]), found[i]};
  }
  return out;
}

}  // namespace detail

/// The nearest of the reference images for each query, by Euclidean distance over all pixels; of equals the
/// first. The exact answer: most pairs are ruled out by the distance of their means over 4 x 4 pixels, which
/// is never greater. In float, relative error below d 2^-24; the same bits on any number of threads.
///
/// Throws `error` for shapes that differ, no images, and pixels outside [0, 1]. Cost: at worst n m d
/// multiply-adds, on digits about a tenth; memory: the queries once more, and 4096 reference images.
template <HostBackend B>
std::vector<nearest_image> nearest_images(B& b, image_batch<unit, const float> queries,
                                          image_batch<unit, const float> reference) {
  return detail::search_images(b, "nearest_images", queries, reference.dims,
                               [&](index_t first, index_t n) { return reference.images(first, n); },
                               {std::numeric_limits<float>::infinity(), false});
}

/// The same for a data set, which need not fit into memory as floats.
template <HostBackend B, class Stored>
std::vector<nearest_image> nearest_images(B& b, image_batch<unit, const float> queries,
                                          const dataset<B, unit, Stored>& reference) {
  const shape d = reference.dims();
  const std::vector<std::int32_t> order = natural_order(d.n);
  std::vector<float> pixels;
  return detail::search_images(
      b, "nearest_images", queries, d,
      [&](index_t first, index_t n) {
        pixels.resize(static_cast<std::size_t>(n * d.image()));
        const image_batch<unit, float> batch(tensor_view<float>(pixels.data(), d.with_n(n)));
        reference.gather(b, {order.data() + first, n}, batch);
        return image_batch<unit, const float>(batch);
      },
      {std::numeric_limits<float>::infinity(), false});
}

struct copy_result {
  double share = 0;            // of samples nearer to a training image than `threshold`
  double threshold = 0;        // distance that a hundredth of the held-out images stays below
  double samples_median = 0;   // of the distances to the nearest training image ...
  double held_out_median = 0;  // ... and of those of the held-out images
};

namespace detail {

/// The element of rank floor(share n) of the sorted distances.
inline double distance_quantile(const std::vector<nearest_image>& images, double share) {
  std::vector<float> distances;
  for (const nearest_image& image : images) distances.push_back(image.distance);
  const auto rank = static_cast<std::ptrdiff_t>(share * static_cast<double>(distances.size()));
  std::nth_element(distances.begin(), distances.begin() + rank, distances.end());
  return static_cast<double>(distances[static_cast<std::size_t>(rank)]);
}

}  // namespace detail

/// Share of samples that lie nearer to a training image than all but a hundredth of real images that were
/// held out: a model that generalises scores about 0.01, one that repeats its training images 1. Both
/// arguments come from `nearest_images` against the same training images. Pixels are compared, not features:
/// a copy agrees in its pixels, while features are made to agree for different images of one class. Simple
/// pictures are near to many: a model of nothing but thin 1s scores high too; look at the pairs that
/// `nearest_images` names. Throws `error` for no images.
inline copy_result copy_share(const std::vector<nearest_image>& samples,
                              const std::vector<nearest_image>& held_out) {
  require(!samples.empty() && !held_out.empty(), "copy_share", [&] {
    return "there are " + std::to_string(samples.size()) + " samples and " + std::to_string(held_out.size()) +
           " held-out images; it needs both";
  });
  copy_result result;
  result.threshold = detail::distance_quantile(held_out, 0.01);
  result.samples_median = detail::distance_quantile(samples, 0.5);
  result.held_out_median = detail::distance_quantile(held_out, 0.5);
  for (const nearest_image& sample : samples) {
    result.share += static_cast<double>(sample.distance) < result.threshold;
  }
  result.share /= static_cast<double>(samples.size());
  return result;
}

/// Share of samples that have a twin among the others: one whose pixels differ by less than `tolerance`, root
/// mean square; 0.02 is 5 of 255 levels, which the eye does not see. Different pictures of real digits do not
/// come so near. Throws and costs as `nearest_images` of the samples among themselves, on digits far less.
template <HostBackend B>
double duplicate_share(B& b, image_batch<unit, const float> samples, float tolerance = 0.02f) {
  const float radius = tolerance * std::sqrt(static_cast<float>(samples.dims.image()));
  const std::vector<nearest_image> twins = detail::search_images(
      b, "duplicate_share", samples, samples.dims,
      [&](index_t first, index_t n) { return samples.images(first, n); }, {radius, true});
  index_t count = 0;
  for (const nearest_image& twin : twins) count += twin.distance < radius;
  return static_cast<double>(count) / static_cast<double>(samples.dims.n);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
