/// Models for images of one size at work on images of another: by overlapping tiles.
#pragma once

#include <algorithm>
#include <cmath>
#include <coldzoom/backend/transfer.hpp>
#include <coldzoom/degradation/degradation.hpp>
#include <coldzoom/prediction/model_concept.hpp>
#include <cstdint>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

/// Where tiles lie along one side of an image, and how much each counts at each of its pixels.
///
/// The tiles, of `size` pixels, are the fewest that cover `extent` pixels and overlap their neighbours by
/// `overlap` * size pixels or more. They are spread evenly, the first at one border and the last at the other. A
/// side that is not longer than a tile has one tile, and lies in its middle.
///
/// The weights follow sin^2 over the tile: a network sees least of the surroundings at the border of its image.
/// They are multiples of 2^-12, and the sum of those at a pixel is 1. So products of two weights, and their sums,
/// are exact in float.
class tile_axis {
 public:
  /// Throws `error` unless extent and size are 1 to 2^30 and 0 <= overlap < 1. Cost: `size` weights a tile.
  tile_axis(index_t extent, index_t size, double overlap) : extent_(extent), size_(size) {
    constexpr index_t most = index_t{1} << 30;
    require(extent >= 1 && size >= 1 && std::max(extent, size) <= most, "tile_axis", [&] {
      return "found a side of " + std::to_string(extent) + " pixels and tiles of " + std::to_string(size) +
             ", wanted 1 to 2^30";
    });
    require(overlap >= 0 && overlap < 1, "tile_axis", [&] {
      return "found an overlap of " + std::to_string(overlap) + ", wanted a share of the tile, 0 to below 1";
    });
    const auto shared = static_cast<index_t>(std::ceil(overlap * static_cast<double>(size)));
    const index_t way = extent - size, most_step = std::max<index_t>(1, size - shared);
    const index_t steps = std::max<index_t>(0, (way + most_step - 1) / most_step);
    for (index_t i = 0; i <= steps; ++i)
      starts_.push_back(static_cast<std::int32_t>(way <= 0 ? -(-way / 2) : i * way / steps));
    weights_.resize(static_cast<std::size_t>((steps + 1) * size));
    index_t first = 0;
    for (index_t p = 0; p < extent; ++p) {
      while (start(first) + size <= p) ++first;
      first_.push_back(static_cast<std::int32_t>(first));
      weigh(p, first);
    }
  }

  index_t extent() const { return extent_; }
  index_t size() const { return size_; }
  index_t tiles() const { return static_cast<index_t>(starts_.size()); }
  index_t start(index_t tile) const { return starts_[static_cast<std::size_t>(tile)]; }

  /// The first pixel of each tile, ascending; below 0 where the side is shorter than a tile.
  const std::vector<std::int32_t>& starts() const { return starts_; }
  /// The first tile that covers each pixel. The next ones cover it too, as long as they start at or before it.
  const std::vector<std::int32_t>& first() const { return first_; }
  /// [tile][pixel of the tile]; 0 beyond the borders of the image.
  const std::vector<float>& weights() const { return weights_; }

 private:
  /// Shares 2^12 parts out among the tiles from `first` on that cover p; the heaviest takes what rounding leaves.
  void weigh(index_t p, index_t first) {
    constexpr double parts = 0x1p12, pi = 3.14159265358979323846;
    const auto raw = [&](index_t tile) {
      const double root =
          std::sin(pi * (static_cast<double>(p - start(tile)) + 0.5) / static_cast<double>(size_));
      return root * root;
    };
    const auto weight = [&](index_t tile) -> float& {
      return weights_[static_cast<std::size_t>(tile * size_ + p - start(tile))];
    };
    double sum = 0, left = parts;
    index_t heaviest = first;
    for (index_t i = first; i < tiles() && start(i) <= p; ++i) {
      sum += raw(i);
      if (raw(i) > raw(heaviest)) heaviest = i;
    }
    for (index_t i = first; i < tiles() && start(i) <= p; ++i) {
      const double whole = std::floor(parts * raw(i) / sum);
      left -= whole;
      weight(i) = static_cast<float>(whole / parts);
    }
    weight(heaviest) += static_cast<float>(left / parts);
  }

  index_t extent_, size_;
  std::vector<std::int32_t> starts_, first_;
  std::vector<float> weights_;
};

namespace detail {

/// A tile_axis in the memory of a backend, as kernels read it.
template <class Space> struct tile_axis_view {
  index_t extent, size, tiles;
  const std::int32_t* starts;
  const std::int32_t* first;
  const float* weights;

  /// Pixel `p` of the side, continued beyond the borders by mirrors: ... 1 0 | 0 1 2 ... (numpy's "symmetric").
  COLDZOOM_HD index_t mirrored(index_t p) const {
    const index_t period = 2 * extent, at = (p % period + period) % period;
    return at < extent ? at : period - 1 - at;
  }
  COLDZOOM_HD bool covers(index_t tile, index_t p) const { return tile < tiles && starts[tile] <= p; }
  COLDZOOM_HD float weight(index_t tile, index_t p) const { return weights[tile * size + p - starts[tile]]; }
};

template <class B> class tile_axis_on {
 public:
  tile_axis_on(B& b, const tile_axis& axis)
      : extent_(axis.extent()),
        size_(axis.size()),
        tiles_(axis.tiles()),
        starts_(to_backend(b, axis.starts())),
        first_(to_backend(b, axis.first())),
        weights_(to_backend(b, axis.weights())) {}

  index_t tiles() const { return tiles_; }
  tile_axis_view<typename B::space> view() const {
    return {extent_, size_, tiles_, starts_.data(), first_.data(), weights_.data()};
  }

 private:
  index_t extent_, size_, tiles_;
  typename B::template buffer<std::int32_t> starts_, first_;
  typename B::template buffer<float> weights_;
};

/// Index: element of `tiles`, in row-major order.
template <class Axis, class In, class Out> struct cut_tiles {
  Axis down, across;
  In image;
  Out tiles;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [tile, c, y, x] = element_place::at(i, tiles.dims);
    const index_t row = down.starts[tile / across.tiles] + y, column = across.starts[tile % across.tiles] + x;
    tiles(tile, c, y, x) = image(c, down.mirrored(row), across.mirrored(column));
  }
};

/// Index: element of `image`, in row-major order. In double all products are exact, and so is the sum of equal
/// pixels.
template <class Axis, class In, class Out> struct blend_tiles {
  Axis down, across;
  In tiles;
  Out image;

  COLDZOOM_HD void operator()(index_t i) const {
    const auto [n, c, y, x] = element_place::at(i, shape{1, image.c, image.h, image.w});
    double sum = 0;
    for (index_t row = down.first[y]; down.covers(row, y); ++row) {
      for (index_t column = across.first[x]; across.covers(column, x); ++column) {
        const float weight = down.weight(row, y) * across.weight(column, x);
        const float pixel =
            tiles(row * across.tiles + column, c, y - down.starts[row], x - across.starts[column]);
        sum += static_cast<double>(weight) * static_cast<double>(pixel);
      }
    }
    image(c, y, x) = static_cast<float>(sum);
  }
};

}  // namespace detail

/// Images of one size cut into overlapping tiles of another, and put together again. See tile_axis for where
/// the tiles lie and what they count.
template <Backend B> class tiling {
  using space = typename B::space;
  using axis = detail::tile_axis_view<space>;

 public:
  /// For images of the height and width of `image`, in tiles of those of `tile`, with as many channels. Throws
  /// `error` as tile_axis does, and where the channels differ.
  tiling(B& b, shape image, shape tile, double overlap = 0.5)
      : image_(image.with_n(1)),
        tile_(tile.with_n(1)),
        down_(b, tile_axis(image.h, tile.h, overlap)),
        across_(b, tile_axis(image.w, tile.w, overlap)) {
    require(image.c == tile.c, "tiling", [&] {
      return "found images of " + to_string(image_) + " and tiles of " + to_string(tile_) +
             "; the channels must agree";
    });
  }

  shape image() const { return image_; }
  shape tile() const { return tile_; }
  /// Tiles of an image.
  index_t tiles() const { return down_.tiles() * across_.tiles(); }

  /// The tiles of an image, row by row, into tiles() x C x H x W of any strides; in the backend's memory, apart
  /// from each other. An image that is smaller than a tile is continued by mirrors at its borders, in which
  /// the outermost pixel stands twice.
  void cut(B& b, image_view<const float> image, tensor_view<float, space> tiles) const {
    check("tiling::cut", image, tiles.dims);
    using kernel = detail::cut_tiles<axis, image_view<const float>, tensor_view<float, space>>;
    b.for_each_index(tiles.dims.size(), kernel{down_.view(), across_.view(), image, tiles}, 30);
  }

  /// The weighted mean of the tiles at each pixel; weights have the sum 1. Where all tiles agree, it has their
  /// bits.
  void blend(B& b, tensor_view<const float, space> tiles, image_view<float> image) const {
    check("tiling::blend", image, tiles.dims);
    using kernel = detail::blend_tiles<axis, tensor_view<const float, space>, image_view<float>>;
    b.for_each_index(image_.size(), kernel{down_.view(), across_.view(), tiles, image}, 60);
  }

 private:
  template <class Image> void check(const char* where, const Image& image, shape found) const {
    const shape whole{1, image.c, image.h, image.w};
    require(whole == image_ && found == tile_.with_n(tiles()), where, [&] {
      return "found an image of " + to_string(whole) + " and tiles of " + to_string(found) + ", wanted " +
             to_string(image_) + " and " + to_string(tile_.with_n(tiles()));
    });
  }

  shape image_, tile_;
  detail::tile_axis_on<B> down_, across_;
};

/// A `Model` of images of any size made of one of a fixed size, `M`: it answers to the tiles, and the mean of
/// its answers, by the weights of the tiling, is the answer. A sampler walks with the whole image, so that
/// overlapping tiles agree at each step (as in Bar-Tal et al. 2023, "MultiDiffusion") and a random
/// degradation repeats the draw that it made of the whole image.
///
/// This is right where a part of D(x, t) looks like D of this part alone: noise, pixels lost here and there,
/// colours, and away from its border a blur. It is wrong for a zoom, a hole in the middle, or lines of k-space.
///
/// The model is asked once for each image, with all tiles of it. Labels and conditions that are set in it are those of
/// the tiles of one image. Each tile has noise inputs of its own. `model` must live as long.
template <Backend B, class M> class tiled_model {
  using space = typename B::space;

 public:
  using prediction = typename M::prediction;

  tiled_model(B& b, M& model, tiling<B> tiles) : b_(&b), model_(&model), tiling_(std::move(tiles)) {
    const index_t size = tiling_.tile().with_n(tiling_.tiles()).size();
    tiles_ = b.template allocate<float>(size);
    answers_ = b.template allocate<float>(size);
  }

  const tiling<B>& layout() const { return tiling_; }

  /// y = the answer to images of the tiling's size; both dense. Bits do not depend on the batch.
  void operator()(tensor_view<const float, space> x_t, const sampling_step& step,
                  tensor_view<float, space> y) {
    const shape dims = tiling_.tile().with_n(tiling_.tiles());
    const tensor_view<float, space> tiles(tiles_.data(), dims), answers(answers_.data(), dims);
    for (index_t n = 0; n < x_t.dims.n; ++n) {
      sampling_step of_tiles = step;
      of_tiles.keys.first =
          (step.keys.first + static_cast<std::uint64_t>(n)) * static_cast<std::uint64_t>(dims.n);
      if (step.previous) {
        if (previous_.size() == 0) previous_ = b_->template allocate<float>(dims.size());
        const tensor_view<const float, space> previous(step.previous, x_t.dims);
        tiling_.cut(*b_, previous.image(n), tensor_view<float, space>(previous_.data(), dims));
        of_tiles.previous = previous_.data();
      }
      tiling_.cut(*b_, x_t.image(n), tiles);
      (*model_)(tensor_view<const float, space>(tiles), of_tiles, answers);
      tiling_.blend(*b_, answers, y.image(n));
    }
  }

 private:
  B* b_;
  M* model_;
  tiling<B> tiling_;
  typename B::template buffer<float> tiles_, answers_, previous_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
