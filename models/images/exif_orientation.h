// How a camera was held, of the EXIF data in a JPEG (APP1), PNG (eXIf) or WebP (EXIF) file.
#pragma once

#include <string_view>

namespace hearth {

// EXIF's 1 (upright) to 8, as ImageOps.exif_transpose reads them; 1 where the file says nothing that can be read.
int exif_orientation(std::string_view file);

}  // namespace hearth
