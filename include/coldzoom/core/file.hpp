/// Whole files: read at once, written so that a reader sees the old file or the new one, never half of
/// either.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/view.hpp>
#include <cstddef>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

inline error file_error(const std::string& path, const std::string& action, int reason) {
  return error(path, "cannot " + action + ": " + std::generic_category().message(reason));
}

/// A POSIX file descriptor that closes itself.
class file_handle {
 public:
  explicit file_handle(int descriptor) : descriptor_(descriptor) {}
  file_handle(const file_handle&) = delete;
  file_handle& operator=(const file_handle&) = delete;
  ~file_handle() { close(); }

  int get() const { return descriptor_; }
  /// 0, or -1 with errno set. Some file systems report a failed write only here.
  int close() { return descriptor_ < 0 ? 0 : ::close(std::exchange(descriptor_, -1)); }

 private:
  int descriptor_;
};

}  // namespace detail

/// True where `path` names something other than a directory.
inline bool file_exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 && !S_ISDIR(status.st_mode);
}

/// All bytes of the file. Throws `error` with the path and the system's reason.
inline std::vector<std::byte> read_file(const std::string& path) {
  const detail::file_handle file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) throw detail::file_error(path, "open", errno);
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw detail::file_error(path, "read", errno);

  // One byte more than the announced size, so that the last call to read() meets the end of the file. A pipe
  // announces nothing and grows as it goes.
  std::vector<std::byte> bytes(static_cast<std::size_t>(status.st_size) + 1);
  for (std::size_t filled = 0;;) {
    const ssize_t count = ::read(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw detail::file_error(path, "read", errno);
    filled += static_cast<std::size_t>(count);
    if (count == 0) {
      bytes.resize(filled);
      return bytes;
    }
    if (filled == bytes.size()) bytes.resize(2 * bytes.size() + 4096);
  }
}

/// A file that is read piece by piece, in any order; what cannot be (a pipe, a device) is taken into memory.
/// All members throw `error` with the path and the system's reason.
class input_file {
 public:
  explicit input_file(const std::string& path)
      : path_(path),
        file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (file_.get() < 0) throw detail::file_error(path, "open", errno);
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0) throw detail::file_error(path, "read", errno);
    regular_ = S_ISREG(status.st_mode);
    if (!regular_) bytes_ = read_file(path);
    size_ = regular_ ? static_cast<std::size_t>(status.st_size) : bytes_.size();
  }

  const std::string& path() const { return path_; }
  /// In bytes.
  std::size_t size() const { return size_; }

  /// Bytes offset .. offset + out.size() - 1; fewer than these is an error.
  void read(std::size_t offset, std::span<std::byte> out) const {
    if (offset > size_ || out.size() > size_ - offset) fail_short(offset + out.size());
    if (!regular_) std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(offset), out.size(), out.begin());
    while (regular_ && !out.empty()) {
      const ssize_t count = ::pread(file_.get(), out.data(), out.size(), static_cast<off_t>(offset));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw detail::file_error(path_, "read", errno);
      if (count == 0) fail_short(offset + out.size());  // cut while it was read
      offset += static_cast<std::size_t>(count);
      out = out.subspan(static_cast<std::size_t>(count));
    }
  }

 private:
  [[noreturn]] void fail_short(std::size_t wanted) const {
    throw error(path_,
                "found " + std::to_string(size_) + " bytes or fewer, wanted " + std::to_string(wanted));
  }

  std::string path_;
  detail::file_handle file_;
  bool regular_ = true;
  std::vector<std::byte> bytes_;  // of a file that is not regular
  std::size_t size_ = 0;
};

/// A file under construction. Bytes go to a temporary file beside the target; `commit()` brings them to the
/// disk and renames. Without a commit the destructor removes the temporary, and the old target stays as it
/// was. A symbolic link is followed, not replaced, and the permissions of the old target stay. A target that is not a regular file (a device, a pipe) is
/// refused. All members throw `error` with the path and the system's reason.
class atomic_file {
 public:
  explicit atomic_file(const std::string& path) : path_(resolved(path)), file_(create()) {
    // The new file takes the place of the old one in all that its owner has chosen; where that may not be, it is still
    // a file of the user's, as any new one.
    struct stat status {};
    if (::stat(path_.c_str(), &status) == 0) ::fchmod(file_.get(), status.st_mode & 07777);
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;
  ~atomic_file() {
    if (!committed_) ::unlink(temporary_.c_str());
  }

  /// Appends.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) throw detail::file_error(path_, "write", errno);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
  }

  /// Waits for the disk. Call once, last.
  void commit() {
    if (::fsync(file_.get()) != 0 || file_.close() != 0) throw detail::file_error(path_, "write", errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw detail::file_error(path_, "replace", errno);
    committed_ = true;
    // Makes the rename itself durable. The new file is already in place and whole, and not every file system
    // can do this, so a failure here is none of the caller's.
    const detail::file_handle folder(::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() >= 0) ::fsync(folder.get());
  }

 private:
  static std::string folder_of(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    return slash == std::string::npos ? "." : path.substr(0, slash + 1);
  }

  static std::string resolved(const std::string& path) {
    struct stat status {};
    if (::stat(path.c_str(), &status) != 0) return end_of_links(path);
    if (S_ISDIR(status.st_mode)) throw detail::file_error(path, "write", EISDIR);
    if (!S_ISREG(status.st_mode))
      throw error(path, "cannot write: found a device or pipe, wanted a regular file");
    const std::unique_ptr<char, decltype(&::free)> real(::realpath(path.c_str(), nullptr), ::free);
    return real ? real.get() : path;
  }

  /// Where links lead whose file does not exist yet.
  static std::string end_of_links(std::string path) {
    for (int link = 0; link < 40; ++link) {
      char to[4096];
      const ssize_t length = ::readlink(path.c_str(), to, sizeof to);
      if (length < 0 || length == sizeof to) break;
      const std::string target(to, static_cast<std::size_t>(length));
      const std::size_t folder =
          target.starts_with('/') ? 0 : path.rfind('/') + 1;  // 0 where there is no slash
      path.replace(folder, std::string::npos, target);
    }
    return path;
  }

  /// Opens a temporary of a name not yet taken; open() and not mkstemp(), which ignores the user's umask.
  int create() {
    for (int attempt = 0;; ++attempt) {
      temporary_ = path_ + ".tmp" + std::to_string(::getpid()) + "-" + std::to_string(attempt);
      const int descriptor = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
      if (descriptor >= 0) return descriptor;
      if (errno != EEXIST || attempt == 1000) throw detail::file_error(path_, "create", errno);
    }
  }

  std::string path_, temporary_;
  detail::file_handle file_;
  bool committed_ = false;
};

/// Replaces `path` by a file of these bytes, entirely or not at all. Throws `error` with path and reason.
inline void write_file_atomically(const std::string& path, std::span<const std::byte> bytes) {
  atomic_file file(path);
  file.write(bytes);
  file.commit();
}

inline void write_file_atomically(const std::string& path, const std::string& text) {
  write_file_atomically(path, std::as_bytes(std::span(text)));
}

/// All digits of a number, so that settings that differ at all are told apart.
inline std::string exact_number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.17g", value);
  return text;
}

/// "[2, 3]", for messages.
inline std::string to_string(const std::vector<index_t>& extents) {
  std::string text = "[";
  for (const index_t extent : extents) text += (text.size() > 1 ? ", " : "") + std::to_string(extent);
  return text + "]";
}

/// The product of the extents (1 for rank 0) as a file's header states them. Throws `error` where an extent
/// is negative or the elements, of `element_bytes` bytes each, cannot be addressed.
inline std::size_t checked_size(const std::string& where, const std::vector<index_t>& extents,
                                std::size_t element_bytes) {
  const std::size_t room = static_cast<std::size_t>(std::numeric_limits<index_t>::max()) / element_bytes;
  std::size_t count = 1;
  for (const index_t extent : extents) {
    if (extent < 0) throw error(where, "negative extent in shape " + to_string(extents));
    const auto factor = static_cast<std::size_t>(extent);
    if (factor != 0 && count > room / factor)
      throw error(where, "shape " + to_string(extents) + " is too large");
    count *= factor;
  }
  return count;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
