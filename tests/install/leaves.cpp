#include <png.h>
#include <zlib.h>

#include <coldzoom/interop/eigen.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <coldzoom/io/load_picture.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <nlohmann/json.hpp>

int main() {
  jpeg_error_mgr libjpeg;
  return png_access_version_number() > 0 && zlibVersion() != nullptr && jpeg_std_error(&libjpeg) == &libjpeg
             ? 0
             : 1;
}
