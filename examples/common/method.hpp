/// The methods that the programs know by name: what a model undoes, and how. A table: methods.hpp lists the
/// entries of this project, coldzoom_programs/method.hpp adds a user's own.
#pragma once

#include <coldzoom/core/random.hpp>
#include <coldzoom/data/mnist.hpp>
#include <coldzoom/training/batch_order.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/host_images.hpp"
#include "common/image_stream.hpp"
#include "common/machine.hpp"
#include "common/network.hpp"

namespace programs {

struct latent_source;
struct sampling_options;
using sampling_observer = std::function<void(coldzoom::index_t, int, host_images, host_images)>;

inline constexpr int largest_steps = 100000;  // T of a schedule

/// A number that methods have beside T: an option of the training programs, where 0 means `otherwise`, and an
/// entry in the files of models. Methods that share a name share its help and bounds.
struct method_number {
  std::string name, help;    // "beta_max" makes the option --beta-max
  double otherwise = 0;      // where the user does not say
  double low = 0, high = 1;  // it lies between these, low at least 0

  std::string option() const;
  bool fits(double value) const { return value > low && value < high; }
};

/// A picture or data set that a method reads: an option of the training programs, empty for the method's own choice, which
/// the help names, and an entry in the files of models.
struct method_source {
  std::string name, help;  // "others" makes the option --others

  std::string option() const;
};

/// "0.02".
std::string spoken(double number);

/// The numbers of a method, and what it reads.
struct method_settings {
  int steps = 0;                                    // T
  int last_step = 0;                                // t is drawn from 1 .. last_step
  std::map<std::string, double> numbers;            // those of method_info, by name
  std::map<std::string, std::string> sources = {};  // those that the user named

  double number(const std::string& name) const { return numbers.at(name); }
  /// Empty where the user named none.
  std::string source(const std::string& name) const;
};

/// What stands in the table.
struct method_info {
  std::string name, help;  // of one line
  int steps = 0;           // T, unless the user says otherwise
  std::vector<method_number> numbers = {};
  std::vector<method_source> sources = {};
  std::string title = {};  // in pictures; the name where empty
  /// Numbers of a file that names none, such as the original project's; those above where empty.
  method_settings original = {};
  /// Network calls of sampling and where they are spent, unless the user says otherwise; 0 calls for T.
  int calls = 0;
  double spacing = 1;
  /// How a quick look is sampled: the sampler, the first where empty, and at most so many network calls.
  std::string quick_sampler = {};
  int quick_calls = largest_steps;
  /// Whether a part of a degraded image looks like this part degraded alone, at least away from its border, as with
  /// noise, blur, colours and pixels that are lost here and there, but not with a zoom. Then a model restores
  /// images of any size by tiles.
  bool tiles = false;

  /// The numbers above, each as it is where nobody says otherwise.
  std::map<std::string, double> default_numbers() const;
};

/// What the programs have to know of a sampler.
struct sampler_info {
  std::string name;
  bool has_eta = false, has_spacing = false, has_churn = false, has_noise = false;
};

/// What is left of the image by a step, and how much noise has come by then; beta is the variance that the step
/// adds, where the schedule is a NoiseSchedule.
struct noise_amounts {
  double beta = 0, signal = 0, noise = 0;
};

/// Pixels that a restoration is to keep: dense images, and masks of their shape, 1 where a pixel is known, else 0. Without
/// data where there are none.
struct known_part {
  coldzoom::tensor_view<const float> pixels = {}, mask = {};
};

/// A trained model at work.
class model_at_work {
 public:
  virtual ~model_at_work() = default;

  /// x0_hat = what the model makes of z = D(x0, t); dense images, clipped to the range of pixels where the
  /// network predicts something else than x0. Images of another size than the network's go through it in
  /// overlapping tiles; see method_info::tiles for when this is right.
  virtual void restore(host_images z, int t, host_images x0_hat) = 0;

  /// options.count samples in [-0.5, 0.5], N x C x H x W. Sample i depends on the seed and i alone.
  virtual std::vector<float> draw(const latent_source& latents, const sampling_options& options,
                                  const sampling_observer& observe = {}) = 0;

  /// z = D(x, t) becomes x, as the sampler brings it back without labels; dense images, of any size as above.
  /// `keys` are those that made z, and of all else that is random in place of the seed of the options. Known pixels
  /// are kept by coldzoom::known_pixels.
  virtual void walk_back(host_images z, int t, coldzoom::key_sequence keys, const sampling_options& options,
                         const known_part& known) = 0;
};

/// What a run can be told, beside the method and the network.
struct run_options {
  coldzoom::index_t batch_size = 128;
  coldzoom::index_t accumulate = 1;  // such batches an update
  coldzoom::index_t shares = 0;      // of an update, whose gradients are added in pairs; 0 for the ranks
  std::uint64_t seed = 0;
  double average_decay = 0;
  double clip_norm = 0;
  double flip = 0;              // the probability that a training image is mirrored
  coldzoom::index_t shift = 0;  // pixels by which it moves at most
  double crop = 1;              // the smallest share of its sides that is cut out and enlarged
  double label_dropout = -1;    // of a network with classes; 0.15 below 0
  std::string loss, weighting;  // the method's own where empty
  std::string optimizer = "adam";
  double weight_decay = -1;  // of adamw and sgd, their own below 0
  double momentum = 0.9;     // of sgd
};
inline const std::vector<std::string> loss_names{"mse", "l1", "huber"}, weighting_names{"uniform", "min-snr"},
    optimizer_names{"adam", "adamw", "sgd"};

/// A model in training: a coldzoom::trainer and its data.
class training_run {
 public:
  virtual ~training_run() = default;

  virtual coldzoom::index_t batches() const = 0;
  virtual double train_epoch(int epoch, const std::function<double(coldzoom::index_t)>& rate,
                             const std::function<void(coldzoom::batch_progress)>& progress) = 0;
  virtual double test_loss() = 0;
  /// The weights to keep.
  virtual std::vector<float> best() = 0;
  virtual void save(const std::string& path, int epoch,
                    const std::map<std::string, std::string>& settings) = 0;
  virtual void load(const std::string& path, const std::map<std::string, std::string>& settings) = 0;
};

/// A method with its numbers on a machine, which must live as long. Images lie in host memory.
class method_at_work {
 public:
  virtual ~method_at_work() = default;

  /// out = D(x0, t); dense images of one shape, in any number.
  virtual void degrade(coldzoom::tensor_view<const float> x0, int t, coldzoom::key_sequence keys,
                       host_images out) = 0;

  /// use(first, x0, D(x0, t)) for all images in batches; `keys` name the noise.
  virtual void for_each_degraded(
      const coldzoom::labelled_images& images, int t, coldzoom::key_sequence keys,
      const std::function<void(coldzoom::index_t, host_images, host_images)>& use) = 0;

  /// The same with what D(x0, t) keeps of x0, without noise. Throws coldzoom::error where noise takes all.
  virtual void for_each_kept(const coldzoom::labelled_images& images, int t,
                             const std::function<void(coldzoom::index_t, host_images, host_images)>& use) = 0;

  /// use(first, z) for `count` latents in batches. Latent i depends on the seed and i alone. Without noise where the
  /// degradation adds some that scales and `noise` is false.
  virtual void for_each_latent(const latent_source& source, coldzoom::index_t count, std::uint64_t seed,
                               const std::function<void(coldzoom::index_t, host_images)>& use,
                               bool noise = true) = 0;

  /// Of a method that adds noise to all elements alike, t = 1 .. T.
  virtual noise_amounts amounts(int t) const = 0;

  virtual std::unique_ptr<model_at_work> run(const model_network& network,
                                             const std::vector<float>& parameters) = 0;
  virtual std::unique_ptr<training_run> train(const model_network& network, const data_sets& data,
                                              const run_options& options) = 0;
  /// Mean loss of a model over all images, each at `draws` steps.
  virtual double test_loss(const model_network& network, const std::vector<float>& parameters,
                           const coldzoom::labelled_images& images, coldzoom::index_t draws) = 0;
};

/// An entry of the table. The constructor fills in what `info` leaves out.
class method_entry {
 public:
  method_entry(method_info info, std::string target, std::vector<std::string> latents,
               std::vector<sampler_info> samplers);
  virtual ~method_entry() = default;

  const method_info& info() const { return info_; }
  const std::string& name() const { return info_.name; }
  /// What the network predicts: "x0", "noise", ...
  const std::string& target() const { return target_; }
  /// What sampling starts from; the first unless one says otherwise.
  const std::vector<std::string>& latents() const { return latents_; }
  const std::vector<sampler_info>& samplers() const { return samplers_; }

  /// Whether D mixes the image with noise, by a NoiseSchedule.
  virtual bool adds_noise() const = 0;
  /// Whether images may have so many channels.
  virtual bool takes_channels(coldzoom::index_t channels) const = 0;
  /// Channels that the network reads for such images.
  virtual coldzoom::index_t input_channels(coldzoom::shape image) const = 0;
  /// The largest T for such images.
  virtual int most_steps(coldzoom::shape image) const = 0;
  virtual std::unique_ptr<method_at_work> on(machine& m, const method_settings& settings) const = 0;

 private:
  method_info info_;
  std::string target_;
  std::vector<std::string> latents_;
  std::vector<sampler_info> samplers_;
};

/// All methods, this project's own first. Throws coldzoom::error where two have one name.
const std::vector<const method_entry*>& methods();

/// "zoom_nearest, zoom_bilinear, ...".
std::string method_names();

/// Throws coldzoom::error, blaming `where`, for a name that there is not.
const method_entry& find_method(const std::string& where, const std::string& name);

/// A method and the numbers of one model.
struct model_method : method_settings {
  const method_entry* entry = nullptr;

  const std::string& name() const { return entry->name(); }
  std::unique_ptr<method_at_work> on(machine& m) const { return entry->on(m, *this); }
};

/// Puts an entry into the table when a program starts.
struct method_registration {
  explicit method_registration(std::unique_ptr<method_entry> entry);
};

}  // namespace programs
