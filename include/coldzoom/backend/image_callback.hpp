/// Work on one image at a time, which runs in the tasks of another operation.
#pragma once

#include <coldzoom/core/view.hpp>
#include <concepts>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

/// A callable (index_t image, T* data of this image) -> void of any type, not owned; empty by default. One
/// indirect call an image, so that an operation is compiled once and not anew for each callback.
template <class T> class image_callback {
 public:
  image_callback() = default;
  template <class F>
    requires(!std::same_as<std::remove_const_t<F>, image_callback>)
  image_callback(F& f)
      : object_(&f),
        call_([](const void* object, index_t image, T* data) {
          (*static_cast<F*>(const_cast<void*>(object)))(image, data);
        }) {}
  /// Calls function(state, image, data).
  template <auto function, class State> static image_callback bind(State& state) {
    image_callback callback;
    callback.object_ = &state;
    callback.call_ = [](const void* object, index_t image, T* data) {
      function(*static_cast<State*>(const_cast<void*>(object)), image, data);
    };
    return callback;
  }

  explicit operator bool() const { return call_ != nullptr; }
  void operator()(index_t image, T* data) const {
    if (call_) call_(object_, image, data);
  }

 private:
  const void* object_ = nullptr;
  void (*call_)(const void*, index_t, T*) = nullptr;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
