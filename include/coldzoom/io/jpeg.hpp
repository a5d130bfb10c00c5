/// Pictures from JPEG files. Needs libjpeg-turbo, or libjpeg of version 8 or later.
#pragma once

#include <cstdio>  // jpeglib.h wants it first

#include <jpeglib.h>

#include <coldzoom/core/config.hpp>
#include <coldzoom/core/error.hpp>
#include <coldzoom/io/picture.hpp>
#include <csetjmp>
#include <cstddef>
#include <span>
#include <string>

namespace coldzoom::inline COLDZOOM_ISA {

namespace detail {

/// libjpeg leaves a call that fails by its error handler, which must not return, and a C library need not let an
/// exception through: the handler jumps back into `run`.
class jpeg_decoder {
 public:
  explicit jpeg_decoder(const std::string& name) : name_(&name) {
    info.err = jpeg_std_error(&handler_);
    info.client_data = this;
    handler_.error_exit = leave;
    // Negative levels are warnings of damaged data, such as a file that ends early, which libjpeg paints grey.
    handler_.emit_message = [](j_common_ptr failed, int level) {
      if (level < 0) leave(failed);
    };
  }
  jpeg_decoder(const jpeg_decoder&) = delete;
  jpeg_decoder& operator=(const jpeg_decoder&) = delete;
  ~jpeg_decoder() { jpeg_destroy_decompress(&info); }

  /// work(), which must hold nothing that has a destructor while it calls libjpeg. Throws `error` where that fails.
  template <class Work> void run(const Work& work) {
    if (setjmp(back_) != 0) throw error(*name_, std::string("cannot read the JPEG: ") + message_);
    work();
  }

  jpeg_decompress_struct info{};

 private:
  static void leave(j_common_ptr failed) {
    auto* self = static_cast<jpeg_decoder*>(failed->client_data);
    self->handler_.format_message(failed, self->message_);
    std::longjmp(self->back_, 1);
  }

  const std::string* name_;
  jpeg_error_mgr handler_{};
  std::jmp_buf back_{};
  char message_[JMSG_LENGTH_MAX] = "";
};

}  // namespace detail

/// The picture that the bytes of a JPEG file hold, baseline or progressive, grey or RGB; `name` stands in errors. The
/// stored values as libjpeg's accurate integer transform gives them: no colour profile is applied, and no orientation
/// of a camera. Throws `error` for CMYK, damaged or truncated data, and more than 2^28 pixels.
inline picture decode_jpeg(const std::string& name, std::span<const std::byte> bytes) {
  detail::jpeg_decoder decoder(name);
  jpeg_decompress_struct& info = decoder.info;
  decoder.run([&] {
    jpeg_create_decompress(&info);
    // Older interfaces take bytes that are not const; libjpeg does not write to them.
    jpeg_mem_src(&info, reinterpret_cast<unsigned char*>(const_cast<std::byte*>(bytes.data())), bytes.size());
    jpeg_read_header(&info, TRUE);
  });
  const bool grey = info.jpeg_color_space == JCS_GRAYSCALE;
  require(grey || info.jpeg_color_space == JCS_YCbCr || info.jpeg_color_space == JCS_RGB, name.c_str(), [&] {
    const bool cmyk = info.jpeg_color_space == JCS_CMYK || info.jpeg_color_space == JCS_YCCK;
    return "found a JPEG of " + std::to_string(info.num_components) + " channels" +
           (cmyk ? " (CMYK, colours of print, which need a colour profile)" : "") +
           ", wanted grey or RGB: convert it first";
  });
  detail::require_picture_size(name, info.image_height, info.image_width);
  picture image{info.image_height, info.image_width, grey ? 1 : 3, {}};
  const auto row = static_cast<std::size_t>(image.width * image.channels);
  image.pixels.resize(static_cast<std::size_t>(image.height) * row);
  decoder.run([&] {
    info.out_color_space = grey ? JCS_GRAYSCALE : JCS_RGB;
    info.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&info);
    while (info.output_scanline < info.output_height) {
      JSAMPROW out = image.pixels.data() + info.output_scanline * row;
      jpeg_read_scanlines(&info, &out, 1);
    }
    jpeg_finish_decompress(&info);
  });
  return image;
}

}  // namespace coldzoom::inline COLDZOOM_ISA
