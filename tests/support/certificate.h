// A key and the certificate that it signed for itself, as PEM files, for an hour.
#pragma once

#include <filesystem>

namespace hearth::test {

// DIRECTORY/NAME.pem and DIRECTORY/NAME.key.
void make_certificate(const std::filesystem::path& directory, const char* name);

}  // namespace hearth::test
