#include <png.h>
#include <zlib.h>

#include <coldzoom/interop/eigen.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <coldzoom/io/tar_pictures.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <nlohmann/json.hpp>

int main() {
  jpeg_error_mgr libjpeg;
  const bool there = png_access_version_number() > 0 && zlibVersion() != nullptr &&
                     jpeg_std_error(&libjpeg) == &libjpeg && archive_version_number() > 0;
  return there ? 0 : 1;
}
