/// Host memory for the backends that live on the CPU.
#pragma once

#if defined(__linux__)
#  include <sys/mman.h>
#endif

#include <algorithm>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>

namespace coldzoom::inline COLDZOOM_ISA {

/// Owns `size` elements, zero at first, aligned to 64 bytes. Movable, not copyable.
template <class T> class host_buffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  host_buffer() = default;
  explicit host_buffer(index_t size) : size_(size) {
    if (size == 0) return;
    const std::size_t wanted = static_cast<std::size_t>(size) * sizeof(T);
    const std::align_val_t alignment{wanted < huge_page ? cache_line : huge_page};
    const std::size_t bytes = (wanted + cache_line - 1) / cache_line * cache_line;
    data_ = {static_cast<T*>(::operator new(bytes, alignment)), release{alignment}};
#if defined(__linux__)
    // The spectra of convolutions are walked in strides of kilobytes, for which a page table of small pages
    // is too long. A kernel that says no does no harm.
    if (wanted >= huge_page) madvise(data_.get(), bytes, MADV_HUGEPAGE);
#endif
    std::fill_n(data_.get(), size, T{});
  }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  index_t size() const { return size_; }

 private:
  static constexpr std::size_t cache_line = 64, huge_page = std::size_t{1} << 21;

  struct release {
    std::align_val_t alignment{cache_line};
    void operator()(T* p) const { ::operator delete(p, alignment); }
  };
  std::unique_ptr<T[], release> data_;
  index_t size_ = 0;
};

/// The memory verbs shared by every backend on the host.
struct host_memory {
  using space = host_space;
  template <class T> using buffer = host_buffer<T>;

  template <class T> buffer<T> allocate(index_t size) const { return buffer<T>(size); }
  template <class T> void copy(const T* from, T* to, index_t size) const { std::copy_n(from, size, to); }
  template <class T> void upload(const T* from, T* to, index_t size) const { std::copy_n(from, size, to); }
  template <class T> void download(const T* from, T* to, index_t size) const { std::copy_n(from, size, to); }
  void synchronize() const {}
};

}  // namespace coldzoom::inline COLDZOOM_ISA
