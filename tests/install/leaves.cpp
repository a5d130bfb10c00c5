#include <png.h>
#include <zlib.h>

#include <coldzoom/interop/eigen.hpp>
#include <coldzoom/interop/xtensor.hpp>
#include <coldzoom/metrics/frechet.hpp>
#include <nlohmann/json.hpp>

int main() { return png_access_version_number() > 0 && zlibVersion() != nullptr ? 0 : 1; }
