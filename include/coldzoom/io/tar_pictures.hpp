/// Pictures in tar archives, read piece by piece. Needs libarchive, libpng 1.6 and libjpeg.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/core/file.hpp>
#include <coldzoom/core/fnv1a.hpp>
#include <coldzoom/core/image_segment.hpp>
#include <coldzoom/core/view.hpp>
#include <coldzoom/io/load_picture.hpp>
#include <coldzoom/io/picture_split.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// A tar archive, read entry by entry from a place on where one begins.
class tar_reader {
 public:
  tar_reader(const std::string& path, std::int64_t from)
      : path_(path),
        file_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)),
        archive_(archive_read_new(), archive_read_free),
        from_(from) {
    if (file_.get() < 0 || ::lseek(file_.get(), static_cast<off_t>(from), SEEK_SET) < 0)
      throw file_error(path, "open", errno);
    archive_read_support_format_tar(archive_.get());
    constexpr std::size_t block = 1 << 16;
    check(archive_read_open_fd(archive_.get(), file_.get(), block));
  }

  /// Goes to the next picture; false where there is none.
  bool next() {
    for (;;) {
      const int status = archive_read_next_header(archive_.get(), &entry_);
      if (status == ARCHIVE_EOF) return false;
      check(status);
      const char* name = archive_entry_pathname(entry_);
      name_ = name == nullptr ? "" : name;
      if (archive_entry_filetype(entry_) == AE_IFREG && names_picture(name_)) return true;
    }
  }
  const std::string& name() const { return name_; }
  index_t size() const { return static_cast<index_t>(archive_entry_size(entry_)); }
  /// Where the entry begins in the file.
  std::int64_t place() const { return from_ + archive_read_header_position(archive_.get()); }

  void read(std::vector<std::byte>& bytes) {
    constexpr index_t largest = index_t{1} << 30;
    require(size() >= 0 && size() <= largest, path_.c_str(), [&] {
      return "found " + std::to_string(size()) + " bytes of " + name_ + ", wanted at most 2^30";
    });
    bytes.resize(static_cast<std::size_t>(size()));
    for (std::size_t filled = 0; filled < bytes.size();) {
      const la_ssize_t count =
          archive_read_data(archive_.get(), bytes.data() + filled, bytes.size() - filled);
      if (count < 0) check(static_cast<int>(count));
      require(count > 0, path_.c_str(), [&] { return "found the end of the archive within " + name_; });
      filled += static_cast<std::size_t>(count);
    }
  }

 private:
  void check(int status) const {
    if (status >= ARCHIVE_WARN) return;
    const char* reason = archive_error_string(archive_.get());
    throw error(path_, std::string("cannot read the tar archive, which must not be compressed: ") +
                           (reason == nullptr ? "unknown reason" : reason));
  }

  std::string path_, name_;
  file_handle file_;
  std::unique_ptr<archive, decltype(&archive_read_free)> archive_;
  std::int64_t from_;
  archive_entry* entry_ = nullptr;
};

}  // namespace detail

/// What the pictures of archives become.
struct tar_options {
  index_t height = 0,
          width = 0;     // others are cropped about the centre and resized; 0 for the size of the first
  index_t channels = 0;  // 1 or 3; 0 for those of the first
  picture_split split = picture_split::all;
  index_t limit = 0;                      // the first so many pictures, 0 for all
  bool strict = false;                    // a bad picture is an error
  std::vector<std::string> classes = {};  // sorted; those that are found where empty
};

/// A SegmentedSource of the pictures in tar archives, in the order of their paths and of the entries. What lies in a folder
/// of the archive has its name as a class; classes are numbered by name. The constructor reads the headers of all entries
/// and keeps one place for about `segment_bytes` of pixels; the rest of memory does not grow with the archives. A picture
/// that cannot be read, or has another size where none was asked for, gives its place to the one before it in its
/// segment, or to the one behind where there is none before.
class tar_pictures {
 public:
  /// Throws `error` for an archive that cannot be read or is compressed (pictures are already, and reading begins in its
  /// middle), and where there is no picture.
  explicit tar_pictures(std::vector<std::string> paths, tar_options options = {},
                        index_t segment_bytes = index_t{1} << 20)
      : paths_(std::move(paths)),
        options_(std::move(options)),
        image_(shape_of_first()),
        classes_(options_.classes) {
    const index_t most = std::clamp<index_t>(segment_bytes / image_.image(), 1, 256);
    for (std::size_t shard = 0; shard < paths_.size(); ++shard) {
      detail::tar_reader tar(paths_[shard], 0);
      index_t in_segment = most;
      while (tar.next()) {
        add_class(paths_[shard], folder_of(tar.name()));
        const bool full = options_.limit > 0 && count_ == options_.limit;
        if (full || !belongs_to(options_.split, tar.name())) continue;
        if (in_segment == most) {
          segments_.push_back({shard, tar.place(), 0});
          in_segment = 0;
        }
        ++in_segment;
        ++segments_.back().count;
        ++count_;
        hash_.add(tar.name());
        hash_.add_number(tar.size());
      }
    }
  }

  /// N x C x H x W.
  shape dims() const { return image_.with_n(count_); }
  /// The folders of all pictures, whatever their split, 0 where they lie in none.
  index_t classes() const { return static_cast<index_t>(classes_.size()); }
  const std::vector<std::string>& class_names() const { return classes_; }
  index_t segments() const { return static_cast<index_t>(segments_.size()); }
  /// 16 hexadecimal digits of the names and the lengths of all pictures and of what they become; not of what is in them, which
  /// would have to be read.
  std::string fingerprint() const {
    fnv1a hash = hash_;
    for (const index_t extent : {count_, image_.c, image_.h, image_.w}) hash.add_number(extent);
    return hash.digits();
  }

  /// The pictures of segment k. Throws `error` where none of them is good, and for a bad one where the options are strict.
  image_segment read(index_t k) const {
    const piece& part = segments_[static_cast<std::size_t>(k)];
    const std::string& path = paths_[part.shard];
    detail::tar_reader tar(path, part.place);
    image_segment segment;
    index_t missing = 0;  // bad ones before the first good one
    std::vector<std::byte> bytes;
    for (index_t i = 0; i < part.count; ++i) {
      require(next(tar), path.c_str(), "found fewer pictures than before; the archive has changed");
      const auto at = std::lower_bound(classes_.begin(), classes_.end(), folder_of(tar.name()));
      const auto label = static_cast<std::int32_t>(at - classes_.begin());
      tar.read(bytes);
      try {
        const std::vector<std::uint8_t> planes = decoded(path + ": " + tar.name(), bytes);
        for (; missing >= 0; --missing) append(segment, planes, label);
        missing = 0;
      } catch (const error& failure) {
        if (options_.strict) throw;
        segment.faults.emplace_back(failure.what());
        if (segment.pixels.empty()) {
          ++missing;
        } else {
          const std::vector<std::uint8_t> last(segment.pixels.end() - image_.image(), segment.pixels.end());
          append(segment, last, segment.labels.empty() ? 0 : segment.labels.back());
        }
      }
    }
    require(!segment.pixels.empty(), path.c_str(), [&] {
      return "found " + std::to_string(part.count) +
             " bad pictures in a row; the first: " + segment.faults.front();
    });
    return segment;
  }

 private:
  struct piece {
    std::size_t shard;
    std::int64_t place;
    index_t count;
  };

  static std::string folder_of(const std::string& name) {
    const std::size_t end = name.rfind('/');
    if (end == std::string::npos) return {};
    const std::string folder = name.substr(0, end);
    const std::string last = folder.substr(folder.rfind('/') + 1);
    return last == "." ? "" : last;
  }

  void add_class(const std::string& path, const std::string& folder) {
    const auto at = std::lower_bound(classes_.begin(), classes_.end(), folder);
    if (folder.empty() || (at != classes_.end() && *at == folder)) return;
    require(options_.classes.empty(), path.c_str(),
            [&] { return "found the class " + folder + ", which is none of those that are wanted"; });
    classes_.insert(at, folder);
  }
  /// To the next picture of the split.
  bool next(detail::tar_reader& tar) const {
    while (tar.next()) {
      if (belongs_to(options_.split, tar.name())) return true;
    }
    return false;
  }
  void append(image_segment& segment, const std::vector<std::uint8_t>& planes, std::int32_t label) const {
    segment.pixels.insert(segment.pixels.end(), planes.begin(), planes.end());
    if (!classes_.empty()) segment.labels.push_back(label);
  }

  std::vector<std::uint8_t> decoded(const std::string& name, const std::vector<std::byte>& bytes) const {
    picture p = decode_picture(name, bytes);
    require(options_.height > 0 || (p.height == image_.h && p.width == image_.w), name.c_str(), [&] {
      return "found " + std::to_string(p.height) + " x " + std::to_string(p.width) + " pixels, wanted the " +
             std::to_string(image_.h) + " x " + std::to_string(image_.w) +
             " of the first picture, or a size to be asked for";
    });
    if (p.height != image_.h || p.width != image_.w)
      p = resized(centre_cropped(p, image_.h, image_.w), image_.h, image_.w);
    return to_planes(with_channels(std::move(p), image_.c));
  }

  /// That of the first picture that can be read, where the options leave it open.
  shape shape_of_first() const {
    std::vector<std::byte> bytes;
    std::string fault = "no picture (.png, .jpg, .jpeg)";
    for (const std::string& path : paths_) {
      detail::tar_reader tar(path, 0);
      while (next(tar)) {
        tar.read(bytes);
        try {
          const picture p = decode_picture(path + ": " + tar.name(), bytes);
          return {1, options_.channels > 0 ? options_.channels : p.channels,
                  options_.height > 0 ? options_.height : p.height,
                  options_.width > 0 ? options_.width : p.width};
        } catch (const error& failure) {
          if (options_.strict) throw;
          fault = std::string("bad pictures alone; the last: ") + failure.what();
        }
      }
    }
    throw error(paths_.empty() ? "tar_pictures" : paths_.front(), "found " + fault);
  }

  std::vector<std::string> paths_;
  tar_options options_;
  shape image_;
  index_t count_ = 0;
  std::vector<std::string> classes_;  // sorted
  std::vector<piece> segments_;
  fnv1a hash_;
};

}  // namespace coldzoom::inline COLDZOOM_ISA
