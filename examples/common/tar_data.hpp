/// Data sets out of tar archives of pictures.
#pragma once

#include <string>

#include "common/image_stream.hpp"
#include "common/picture_data.hpp"

namespace programs {

/// Whether a path is that of a tar archive, or of a folder that holds some.
bool holds_tars(const std::string& path);

/// An archive, or those in a folder: of names that begin with train and with test or val the two splits, else the splits of
/// coldzoom::in_test_split. Training images are read as a stream, of `limit` > 0 the first so many; of them and of the test
/// images the first 10,000, or 64 MiB, are taken into memory. Says on stderr which labels there are.
data_sets load_tars(const std::string& path, const picture_policy& policy, coldzoom::index_t limit);

}  // namespace programs
