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

/// Directions of the first look at a pair of images.
inline constexpr index_t basis_size = 48;

/// out[i] = row i of x times the d x k matrix `basis`, in double. Index: row.
template <class Out> struct project_rows {
  feature_view x;
  const double* basis;
  index_t k;
  Out* out;

  void operator()(index_t i) const {
    double total[basis_size] = {};
    for (index_t l = 0; l < x.d; ++l) {
      const double value = static_cast<double>(x.row(i)[l]);
      for (index_t j = 0; j < k; ++j) total[j] += value * basis[l * k + j];
    }
    for (index_t j = 0; j < k; ++j) out[i * k + j] = static_cast<Out>(total[j]);
  }
};

/// basis = x^T projected. Index: row of the basis.
struct gather_basis {
  feature_view x;
  const double* projected;  // [n][k]
  index_t k;
  double* basis;

  void operator()(index_t l) const {
    double total[basis_size] = {};
    for (index_t i = 0; i < x.n; ++i) {
      const double value = static_cast<double>(x.row(i)[l]);
      for (index_t j = 0; j < k; ++j) total[j] += value * projected[i * k + j];
    }
    std::copy_n(total, k, basis + l * k);
  }
};

/// Makes the columns of a d x k matrix orthonormal (Gram and Schmidt, twice); those that depend on the ones
/// before them become zero.
inline void orthonormalise(std::vector<double>& basis, index_t d, index_t k) {
  const auto dot = [&](index_t a, index_t b) {
    double sum = 0;
    for (index_t l = 0; l < d; ++l) {
      sum += basis[static_cast<std::size_t>(l * k + a)] * basis[static_cast<std::size_t>(l * k + b)];
    }
    return sum;
  };
  const auto add = [&](index_t a, double factor, index_t b) {
    for (index_t l = 0; l < d; ++l) {
      basis[static_cast<std::size_t>(l * k + a)] += factor * basis[static_cast<std::size_t>(l * k + b)];
    }
  };
  for (index_t j = 0; j < k; ++j) {
    const double before = std::sqrt(dot(j, j));
    for (int pass = 0; pass < 2; ++pass) {
      for (index_t i = 0; i < j; ++i) add(j, -dot(i, j), i);
    }
    const double after = std::sqrt(dot(j, j));
    const double scale = after > 1e-8 * before ? 1 / after : 0;
    for (index_t l = 0; l < d; ++l) basis[static_cast<std::size_t>(l * k + j)] *= scale;
  }
}

/// About the directions in which the rows vary most, d x k: subspace iteration on their covariance from
/// random directions. Any orthonormal directions serve the search; these make it fast.
template <HostBackend B> std::vector<double> principal_basis(B& b, feature_view x, index_t k) {
  std::vector<double> basis(static_cast<std::size_t>(x.d * k)), projected(static_cast<std::size_t>(x.n * k));
  for (std::size_t i = 0; i < basis.size(); ++i) basis[i] = static_cast<double>(random_normal({}, i));
  for (int iteration = 0; iteration < 4; ++iteration) {
    orthonormalise(basis, x.d, k);
    b.for_each_index(x.n, project_rows<double>{x, basis.data(), k, projected.data()}, x.d * k);
    for (index_t j = 0; j < k; ++j) {  // centred, x^T projected is the covariance times the basis
      double mean = 0;
      for (index_t i = 0; i < x.n; ++i) mean += projected[static_cast<std::size_t>(i * k + j)];
      mean /= static_cast<double>(x.n);
      for (index_t i = 0; i < x.n; ++i) projected[static_cast<std::size_t>(i * k + j)] -= mean;
    }
    b.for_each_index(x.d, gather_basis{x, projected.data(), k, basis.data()}, x.n * k);
  }
  orthonormalise(basis, x.d, k);
  return basis;
}

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

/// Looks through a block of distances between projections, which are never greater than those of the images:
/// an image is compared only where its projection is not too far. Index: row of the block.
struct search_block {
  pair_block block;
  feature_view queries, reference;  // pixels
  index_t first_reference, self;
  float* best;     // squared
  index_t* found;  // [n]

  void operator()(index_t i) const {
    constexpr index_t stride = 64;
    const index_t query = block.first_x + i;
    const float* bounds = block.row(i);
    if (found[query] < 0) look(query, std::min_element(bounds, bounds + block.cols) - bounds);
    float limit = bound_limit(best[query]);
    for (index_t first = 0; first < block.cols; first += stride) {
      const index_t last = std::min(first + stride, block.cols);
      int near = 0;  // counted without a branch, in vectors; rarely more than 0
      for (index_t j = first; j < last; ++j) near += bounds[j] <= limit;
      for (index_t j = first; near > 0 && j < last; ++j) {
        if (bounds[j] > limit) continue;
        look(query, j);
        limit = bound_limit(best[query]);
      }
    }
  }

 private:
  void look(index_t query, index_t col) const {
    const index_t row = block.first_y + col, index = first_reference + row;
    if (index == self + query) return;
    const float distance = squared_distance(queries.row(query), reference.row(row), queries.d, best[query]);
    const bool first_of_equals = distance == best[query] && found[query] >= 0 && index < found[query];
    if (distance >= best[query] && !first_of_equals) return;
    best[query] = distance;
    found[query] = index;
  }
  /// No image nearer than sqrt(squared) has a projection further than this, squared. The slack is for
  /// rounding: each projection of d pixels in [0, 1] is off by at most 2^-24 sqrt(d), a sum of n squares by a
  /// share below n 2^-24.
  float bound_limit(float squared) const {
    const float d = static_cast<float>(queries.d);
    const float distance = std::sqrt(squared) + 0x1p-22f * std::sqrt(d);
    return distance * distance * (1 + 0x1p-23f * (d + 100));
  }
};

/// `images` as dense rows. Throws `error` for pixels outside [0, 1].
inline feature_set dense_rows(const char* where, image_batch<unit, const float> images) {
  require_range(where, images);
  feature_set rows(images.dims.n, images.dims.image());
  float* out = rows.values.data();
  for (index_t n = 0; n < images.dims.n; ++n) {
    for (index_t c = 0; c < images.dims.c; ++c) {
      for (index_t y = 0; y < images.dims.h; ++y) {
        for (index_t x = 0; x < images.dims.w; ++x) *out++ = images(n, c, y, x);
      }
    }
  }
  return rows;
}

/// Rows in the coordinates of the basis.
template <HostBackend B> feature_set project(B& b, feature_view x, const std::vector<double>& basis) {
  const index_t k = static_cast<index_t>(basis.size()) / x.d;
  feature_set out(x.n, k);
  b.for_each_index(x.n, project_rows<float>{x, basis.data(), k, out.values.data()}, x.d * k);
  return out;
}

/// Images come in parts of so many.
inline constexpr index_t search_part = 4096;

struct search_options {
  float radius = std::numeric_limits<float>::infinity();
  /// Where the queries are references too, the index of the first: no image is its own neighbour.
  index_t self = std::numeric_limits<index_t>::min() / 2;
};

/// `read(first, n)` gives reference images first .. first + n - 1.
template <HostBackend B, class Read>
std::vector<nearest_image> search_images(B& b, const char* where, image_batch<unit, const float> queries,
                                         shape reference, Read read, search_options options) {
  const shape d = queries.dims;
  require(d.size() > 0 && d.with_n(reference.n) == reference && reference.n > 0, where, [&] {
    return "the images are " + to_string(d) + ", the reference " + to_string(reference) +
           "; they must agree but for their number, which must not be 0";
  });
  const feature_set pixels = dense_rows(where, queries);
  const std::size_t count = static_cast<std::size_t>(d.n);
  std::vector<float> best(count, options.radius * options.radius);
  std::vector<index_t> found(count, -1);
  std::vector<double> basis;
  feature_set projected;
  for (index_t first = 0; first < reference.n; first += search_part) {
    const feature_set part = dense_rows(where, read(first, std::min(search_part, reference.n - first)));
    if (first == 0) {
      basis = principal_basis(b, part, std::min(basis_size, d.image()));
      projected = project(b, pixels, basis);
    }
    for_each_pair_row<squared_difference>(
        b, projected, project(b, part, basis), [&](const pair_block& block) {
          return search_block{block, pixels, part, first, options.self, best.data(), found.data()};
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
/// first. The exact answer: most pairs are ruled out by the distance of their projections on 48 principal
/// directions, which is never greater. In float, relative error below d 2^-24; the same bits on any number of
/// threads.
///
/// Throws `error` for shapes that differ, no images, and pixels outside [0, 1]. Cost: at worst n m d
/// multiply-adds, on digits a twelfth, 6 s for 10,000 against 60,000 on two cores; memory: the queries and
/// 4096 reference images.
template <HostBackend B>
std::vector<nearest_image> nearest_images(B& b, image_batch<unit, const float> queries,
                                          image_batch<unit, const float> reference) {
  return detail::search_images(b, "nearest_images", queries, reference.dims,
                               [&](index_t first, index_t n) { return reference.images(first, n); }, {});
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
      {});
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
  distances.reserve(images.size());
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
/// come so near. `read(first, n)` gives samples first .. first + n - 1, which need to live until the next
/// call. Throws and costs as `nearest_images` of the samples among themselves, on digits far less; memory:
/// two parts of 4096 samples.
template <HostBackend B, class Read>
double duplicate_share(B& b, shape samples, Read read, float tolerance = 0.02f) {
  require(samples.n > 0, "duplicate_share", "there are no samples");
  const float radius = tolerance * std::sqrt(static_cast<float>(samples.image()));
  index_t count = 0;
  for (index_t first = 0; first < samples.n; first += detail::search_part) {
    const image_batch<unit, const float> part = read(first, std::min(detail::search_part, samples.n - first));
    for (const nearest_image& twin :
         detail::search_images(b, "duplicate_share", part, samples, read, {radius, first})) {
      count += twin.distance < radius;
    }
  }
  return static_cast<double>(count) / static_cast<double>(samples.n);
}

/// The same for samples in memory.
template <HostBackend B>
double duplicate_share(B& b, image_batch<unit, const float> samples, float tolerance = 0.02f) {
  return duplicate_share(
      b, samples.dims, [&](index_t first, index_t n) { return samples.images(first, n); }, tolerance);
}

}  // namespace coldzoom::inline COLDZOOM_ISA
