/// The operations of which a backend may have its own version; layers reach them through this header alone.
///
/// For each operation the backend's own version comes first, then the version by block kernels where the
/// backend runs them, then the version that runs on every backend.
#pragma once

#include <coldzoom/backend/device/conv_block.hpp>
#include <coldzoom/backend/device/reduction.hpp>
#include <coldzoom/backend/generic/attention.hpp>
#include <coldzoom/backend/generic/conv_block.hpp>
#include <coldzoom/backend/map_function.hpp>
#include <concepts>
#include <utility>

namespace coldzoom::inline COLDZOOM_ISA {

/// One convolution layer `C` on backend `B`: a movable value that holds the memory of its algorithm. x, y, dy
/// and dx are activations of n images in the backend's memory, n at most the capacity that it was made for.
///
/// - `pack_weights(b, weights, bias)`: after each change of them; both stay where they are until the next
///   call;
/// - `forward(b, n, x, y)`: y = convolution(x) + bias, see convolution_geometry;
/// - `backward(b, n, x, dy, dx, dw, db)`: for the last forward; writes dx unless null, and adds to dw and db
///   or to sums inside; dy may be overwritten;
/// - `reduce_gradients(b, dw, db)`: adds the sums inside to dw and db, and sets them to zero.
///
/// The values in padding lanes must have no influence, and the values written there are finite.
template <class C, class B>
concept ConvolutionOperation = Backend<B> && std::movable<C> &&
    requires(C& c, B& b, index_t n, const real_t<B>* in, real_t<B>* out) {
  c.pack_weights(b, in, in);
  c.forward(b, n, in, out);
  c.backward(b, n, in, out, out, out, out);
  c.reduce_gradients(b, out, out);
};

namespace detail {
template <class B>
concept own_convolution = requires(B& b, const convolution_geometry& g) {
  { b.make_convolution(g, index_t{1}, true) } -> std::same_as<typename B::convolution>;
  requires ConvolutionOperation<typename B::convolution, B>;
};
}  // namespace detail

/// A convolution for up to `capacity` images a call, with gradients where `train`. A backend offers its own
/// by the member type `convolution` and `make_convolution(geometry, capacity, train)`.
template <Backend B>
auto make_convolution([[maybe_unused]] B& b, const convolution_geometry& g, [[maybe_unused]] index_t capacity,
                      [[maybe_unused]] bool train) {
  if constexpr (requires { typename B::convolution; }) {
    static_assert(
        detail::own_convolution<B>,
        "coldzoom: a backend with a type `convolution` needs `convolution make_convolution(const "
        "convolution_geometry&, index_t capacity, bool train)` and, in that type, pack_weights, forward, "
        "backward and reduce_gradients; see docs/concepts/backend.md");
    return b.make_convolution(g, capacity, train);
  } else if constexpr (BlockBackend<B>) {
    return device::convolution<B>(b, g, capacity, train);
  } else {
    return generic::convolution<B>(g);
  }
}
template <Backend B>
using convolution_t = decltype(make_convolution(std::declval<B&>(), convolution_geometry{}, index_t{}, true));

/// A convolution block `Op`, see conv_block_geometry, on backend `B`. Blocks of one type that stand one after
/// another may hand over their images, without memory for the activation between them. A block takes from its
/// neighbours through ports; the backend decides how a port works. An empty port takes nothing, and then the
/// activation lies in memory.
///
/// - `pack_weights(b, parameters)`: as for a convolution, all parameters of the block;
/// - `forward(b, n, x, addend, y, next)`: fills memory at y, or the port `next` of the block after it unless
///   that is empty; y may then be null. x is null where the block before has filled the port `input()`.
///   `addend` holds a row of channels for each image, or is null; it stays where it is until `backward`,
///   which leaves its gradient there;
/// - `backward(b, n, x, dy, dx, gradients, next)`: for the last forward; the same with dy and the port
///   `gradient()`, dx and the port `next` of the block before it. dx may be null. Adds to gradients or to
///   sums inside; dy may be overwritten;
/// - `reduce_gradients(b, gradients)`: adds the sums inside, and sets them to zero;
/// - `input()`, `gradient()`: the ports, or empty ones where it can take only memory. They refer to the
///   object, so ask anew after it has moved;
/// - `hands_output()`, `hands_gradient()`: whether it can fill ports.
template <class Op, class B>
concept ConvBlockOperation = Backend<B> && std::movable<Op> &&
    requires(Op& op, B& b, index_t n, const real_t<B>* in, real_t<B>* out) {
  op.pack_weights(b, in);
  op.forward(b, n, in, out, out, op.input());
  op.backward(b, n, in, out, out, out, op.gradient());
  op.reduce_gradients(b, out);
  { op.input() } -> std::same_as<typename Op::input_port>;
  { op.gradient() } -> std::same_as<typename Op::gradient_port>;
  static_cast<bool>(op.input());
  static_cast<bool>(op.gradient());
  { op.hands_output() } -> std::same_as<bool>;
  { op.hands_gradient() } -> std::same_as<bool>;
};

namespace detail {
// Only a block that uses the convolution of the backend counts: a backend that derives from one with blocks
// and brings another convolution computes with its own.
template <class B, generic::normalisation_geometry::affine_shape Affine, class Function>
concept own_conv_block = requires(B& b, const conv_block_geometry& g) {
  { b.template make_conv_block<Affine, Function>(g, index_t{1}, true) } -> ConvBlockOperation<B>;
  requires std::same_as < typename B::template conv_block<Affine, Function>::convolution,
  typename B::convolution > ;
};
}  // namespace detail

/// A block for up to `capacity` images a call, with gradients where `train`. `Affine` is that of the norm. A
/// backend offers its own by the member template `conv_block<Affine, Function>`, which names the type of its
/// `convolution`, and `make_conv_block<Affine, Function>(geometry, capacity, train)`.
template <generic::normalisation_geometry::affine_shape Affine, class Function, Backend B>
auto make_conv_block(B& b, const conv_block_geometry& g, index_t capacity, bool train) {
  if constexpr (detail::own_conv_block<B, Affine, Function>) {
    return b.template make_conv_block<Affine, Function>(g, capacity, train);
  } else if constexpr (BlockBackend<B>) {
    return device::conv_block<B, convolution_t<B>, Affine, Function>(
        b, make_convolution(b, g.convolution, capacity, train), g, capacity, train);
  } else {
    return generic::conv_block<B, convolution_t<B>, Function>(
        b, make_convolution(b, g.convolution, capacity, train), g, capacity, train);
  }
}
template <Backend B, generic::normalisation_geometry::affine_shape Affine, class Function>
using conv_block_t =
    decltype(make_conv_block<Affine, Function>(std::declval<B&>(), conv_block_geometry{}, index_t{}, true));

/// Normalisation and then an activation `N` on backend `B` as a layer of its own: `forward(b, n, x, affine, y)`
/// and, for the last forward, `backward(b, n, x, affine, dy, dx, gradients)`, which adds to gradients.
/// `affine` is weight and then bias; dx may be null; dy may be overwritten.
template <class N, class B>
concept NormalisationOperation = Backend<B> && std::movable<N> &&
    requires(N& norm, B& b, index_t n, const real_t<B>* in, real_t<B>* out) {
  norm.forward(b, n, in, in, out);
  norm.backward(b, n, in, in, out, out, out);
};

/// For up to `capacity` images a call, with gradients where `train`. `Affine` is that of the norm. A backend
/// offers its own by `make_normalisation<Affine, Function>(geometry, eps, capacity, train)`.
template <generic::normalisation_geometry::affine_shape Affine, class Function, Backend B>
auto make_normalisation(B& b, const generic::normalisation_geometry& g, real_t<B> eps, index_t capacity,
                        bool train) {
  if constexpr (requires { b.template make_normalisation<Affine, Function>(g, eps, capacity, train); }) {
    return b.template make_normalisation<Affine, Function>(g, eps, capacity, train);
  } else if constexpr (BlockBackend<B>) {
    return device::normalisation<B, Function>(b, g, eps, capacity, train);
  } else {
    return generic::normalisation<B, Function>(b, g, eps, capacity, train);
  }
}
template <Backend B, generic::normalisation_geometry::affine_shape Affine, class Function>
using normalisation_t = decltype(make_normalisation<Affine, Function>(
    std::declval<B&>(), generic::normalisation_geometry{}, real_t<B>{}, index_t{}, true));

/// Softmax attention `A` on backend `B`, see attention_geometry: `forward(b, n, qkv, y)` and, for the last
/// forward, `backward(b, n, qkv, y, dy, dqkv)`, which writes all of dqkv.
template <class A, class B>
concept AttentionOperation = Backend<B> && std::movable<A> &&
    requires(A& attention, B& b, index_t n, const real_t<B>* in, real_t<B>* out) {
  attention.forward(b, n, in, out);
  attention.backward(b, n, in, in, in, out);
};

/// For up to `capacity` images a call, with gradients where `train`. A backend offers its own by
/// `make_attention(geometry, capacity, train)`.
template <Backend B> auto make_attention(B& b, const attention_geometry& g, index_t capacity, bool train) {
  if constexpr (requires { b.make_attention(g, capacity, train); }) {
    return b.make_attention(g, capacity, train);
  } else {
    return generic::attention<B>(b, g, capacity, train);
  }
}
template <Backend B>
using attention_t = decltype(make_attention(std::declval<B&>(), attention_geometry{}, index_t{}, true));

/// Work on `images` images of `size` elements each that ends in a sum in double, such as a loss: `rows`(n)
/// for each image or, where the backend runs block kernels, `blocks` with a block for each image, its threads
/// fitted to `size` and shared memory for one double a thread. `cost` is that of one image, see Backend.
template <Backend B, class Rows, class Blocks>
void for_each_image(B& b, index_t images, index_t size, [[maybe_unused]] index_t cost,
                    [[maybe_unused]] const Rows& rows, [[maybe_unused]] const Blocks& blocks) {
  if constexpr (BlockBackend<B>) {
    const int threads = device::threads_for(size);
    b.for_each_block(images, threads, threads * static_cast<index_t>(sizeof(double)) + 16, blocks);
  } else {
    b.for_each_index(images, rows, cost);
  }
}

}  // namespace coldzoom::inline COLDZOOM_ISA
