/// One embedding of time and label for a whole network, and the condition that reads it.
#pragma once

#include <coldzoom/nn/activations.hpp>
#include <coldzoom/nn/time_condition.hpp>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// sum[n, e] += table[label[n], e]; NaN where the table has no such row. Index: [n][e].
template <class View, class Real> struct add_label_rows {
  const std::int32_t* label;
  const Real* table;
  index_t rows;
  View sum;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t width = sum.dims.c, n = i / width, e = i % width;
    const bool known = label[n] >= 0 && label[n] < rows;
    sum.data[sum.offset(n, e, 0)] += known ? table[label[n] * width + e] : static_cast<Real>(NAN);
  }
};

/// gradients[class, e] += sum of d[n, e] over the rows with that label, in their order. Index: [class][e].
template <class View, class Real> struct sum_label_rows {
  const std::int32_t* label;
  View d;
  Real* gradients;

  COLDZOOM_HD void operator()(index_t i) const {
    const index_t width = d.dims.c, c = i / width, e = i % width;
    Real total = 0;
    for (index_t n = 0; n < d.dims.n; ++n) total += label[n] == c ? d.data[d.offset(n, e, 0)] : Real(0);
    gradients[i] += total;
  }
};

template <Backend B>
void require_embedding(const char* where, const side_inputs<B>& side, index_t n, index_t width) {
  require(side.embedding.data && side.embedding.dims.n == n && side.embedding.dims.c == width, where, [&] {
    return "found an embedding of " + to_string(side.embedding.dims) + ", wanted " + std::to_string(n) +
           " x " + std::to_string(width) + " x 1 x 1; put the network into `embedded`";
  });
}

}  // namespace detail

/// SiLU(W2 SiLU(W1 f(t / T)) + table[label]), f the time_features: `width` numbers an image.
/// With classes = 0 it reads no label. Label `classes`, behind the last, stands for no label: the trainer
/// uses it where it drops a label, and `guided` for its answer without a label. Any other label makes the
/// embedding NaN.
class time_label_embedding {
  using network = sequence<linear, silu, linear>;

 public:
  /// Throws `error` for a width below 1 or fewer than 0 classes.
  explicit time_label_embedding(index_t width, index_t classes = 0,
                                const time_features& features = time_features::geometric(16))
      : width_(width),
        classes_(classes),
        time_{features, network(linear{features.size(), width}, silu{}, linear{width, width})} {
    require(width > 0 && classes >= 0, "time_label_embedding", [&] {
      return "found width " + std::to_string(width) + " and " + std::to_string(classes) +
             " classes, wanted at least 1 and 0";
    });
  }

  index_t width() const { return width_; }
  index_t classes() const { return classes_; }
  void describe(parameter_list& list, const std::string& prefix) const {
    time_.describe(list, prefix + ".time");
    if (classes_ > 0) list.push_back({prefix + ".label.weight", {classes_ + 1, width_}, 0, 1});
  }

  template <Backend B> struct workspace {
    typename time_network<network>::template workspace<B> time;
    activation_buffer<B> sum;  // before the last SiLU; its gradient in the backward pass
    index_t table = 0;         // where the rows of the labels begin among the parameters
  };
  template <Backend B> workspace<B> make_workspace(B& b, index_t capacity, pass mode) const {
    return {time_.make_workspace(b, capacity, mode),
            {b, {capacity, width_, 1, 1}},
            coldzoom::parameter_count(time_)};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    time_.pack_weights(b, parameters, ws.time);
  }
  /// e: n x width x 1 x 1.
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> e,
               workspace<B>& ws) const {
    const index_t n = e.dims.n;
    const activation<B> sum = ws.sum.view(n);
    time_.forward(b, parameters, side, sum, ws.time);
    if (classes_ > 0) {
      require(side.label.data && side.label.size == n, "time_label_embedding", [&] {
        return "the batch has " + std::to_string(n) + " images and " + std::to_string(side.label.size) +
               " labels; each image needs one, " + std::to_string(classes_) + " for none";
      });
      using kernel = detail::add_label_rows<activation<B>, real_t<B>>;
      b.for_each_index(n * width_, kernel{side.label.data, parameters + ws.table, classes_ + 1, sum}, 4);
    }
    plain_layer::workspace<B> none;
    silu{}.forward(b, parameters, sum, side, e, none);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> de,
                real_t<B>* gradients, workspace<B>& ws) const {
    const index_t n = de.dims.n;
    plain_layer::workspace<B> none;
    const activation<B> sum = ws.sum.view(n);
    silu{}.backward(b, parameters, sum, side, de, sum, gradients, none);
    if (classes_ > 0) {
      using kernel = detail::sum_label_rows<activation<B>, real_t<B>>;
      b.for_each_index((classes_ + 1) * width_, kernel{side.label.data, sum, gradients + ws.table}, 2 * n);
    }
    time_.backward(b, parameters, side, sum, gradients, ws.time);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    time_.reduce_gradients(b, gradients, ws.time);
  }

 private:
  index_t width_, classes_;
  time_network<network> time_;
};

/// A condition for conv_block and conv_stack: W embedding + bias, one number a channel, added to the block's
/// output.
struct embedding_addition {
  linear project;

  embedding_addition(index_t width, index_t channels) : project{width, channels} {}

  void describe(parameter_list& list, const std::string& prefix) const { project.describe(list, prefix); }

  template <Backend B> struct workspace {
    linear::workspace<B> project;
    activation_buffer<B> gradient;  // of the embedding, from this reader alone
  };
  template <Backend B> workspace<B> make_workspace(B& b, index_t capacity, pass mode) const {
    const shape in{capacity, project.in, 1, 1};
    return {project.make_workspace(b, in, mode), {b, in.with_n(mode == pass::train ? capacity : 0)}};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    project.pack_weights(b, parameters, ws.project);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> e,
               workspace<B>& ws) const {
    detail::require_embedding("embedding_addition", side, e.dims.n, project.in);
    project.forward(b, parameters, side.embedding, side, e, ws.project);
  }
  /// Adds to side.embedding_gradient.
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const side_inputs<B>& side, activation<B> de,
                real_t<B>* gradients, workspace<B>& ws) const {
    const activation<B> own = ws.gradient.view(de.dims.n);
    project.backward(b, parameters, side.embedding, side, de, own, gradients, ws.project);
    b.for_each_index(own.size(), generic::add<real_t<B>>{own.data, side.embedding_gradient.data}, 2);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    project.reduce_gradients(b, gradients, ws.project);
  }
};

/// `network` with an embedding that is made once for all layers that read it, and its gradient, to which they
/// add.
template <class Embed, class Network> struct embedded {
  Embed embed;
  Network network;

  embedded(Embed e, Network of) : embed(std::move(e)), network(std::move(of)) {}

  shape output_shape(shape in) const { return network.output_shape(in); }
  void describe(parameter_list& list, const std::string& prefix) const {
    embed.describe(list, prefix.empty() ? "embedding" : prefix + ".embedding");
    network.describe(list, prefix);
  }

  template <Backend B> struct workspace {
    typename Embed::template workspace<B> embed;
    typename Network::template workspace<B> network;
    activation_buffer<B> e, de;
    index_t offset = 0;  // of the network's parameters
  };
  template <Backend B> workspace<B> make_workspace(B& b, shape in, pass mode) const {
    const shape e{in.n, embed.width(), 1, 1};
    return {embed.make_workspace(b, in.n, mode),
            network.make_workspace(b, in, mode),
            {b, e},
            {b, e.with_n(mode == pass::train ? in.n : 0)},
            coldzoom::parameter_count(embed)};
  }
  template <Backend B> void pack_weights(B& b, const real_t<B>* parameters, workspace<B>& ws) const {
    embed.pack_weights(b, parameters, ws.embed);
    network.pack_weights(b, parameters + ws.offset, ws.network);
  }
  template <Backend B>
  void forward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
               activation<B> y, workspace<B>& ws) const {
    side_inputs<B> with = side;
    const activation<B> e = ws.e.view(x.dims.n);
    embed.forward(b, parameters, side, e, ws.embed);
    with.embedding = e;
    network.forward(b, parameters + ws.offset, x, with, y, ws.network);
  }
  template <Backend B>
  void backward(B& b, const real_t<B>* parameters, const_activation<B> x, const side_inputs<B>& side,
                activation<B> dy, activation<B> dx, real_t<B>* gradients, workspace<B>& ws) const {
    side_inputs<B> with = side;
    with.embedding = ws.e.view(x.dims.n);
    with.embedding_gradient = ws.de.view(x.dims.n);
    b.for_each_index(with.embedding_gradient.size(),
                     generic::fill<real_t<B>>{0, with.embedding_gradient.data});
    network.backward(b, parameters + ws.offset, x, with, dy, dx, gradients + ws.offset, ws.network);
    embed.backward(b, parameters, side, with.embedding_gradient, gradients, ws.embed);
  }
  template <Backend B> void reduce_gradients(B& b, real_t<B>* gradients, workspace<B>& ws) const {
    embed.reduce_gradients(b, gradients, ws.embed);
    network.reduce_gradients(b, gradients + ws.offset, ws.network);
  }
};

}  // namespace coldzoom::inline COLDZOOM_ISA
