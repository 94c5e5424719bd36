// Changes of size that equal PIL's to the bit (Pillow's Image.resize on RGB).
#pragma once

#include "models/images/image.h"

namespace hearth {

enum class Resampling { kNearest = 0, kLanczos = 1, kBilinear = 2, kBicubic = 3 };  // numbers are PIL's

Image resize(const Image& image, int width, int height, Resampling resampling);

}  // namespace hearth
