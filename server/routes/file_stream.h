// Files of the disk as bodies of replies.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "server/http_types.h"

namespace hearth {

// An open file: its content can be sent whatever becomes of its name.
class FileStream {
 public:
  // Throws kUnavailable for one that cannot be opened. `shown` is what errors call it.
  FileStream(const std::filesystem::path& path, std::string shown);
  // The next `bytes` of it; false when the client is gone. Throws kDataCorruption when it ends before.
  bool send(int64_t bytes, BodyWriter& writer);

 private:
  std::shared_ptr<std::ifstream> file_;  // copies of it read on where it is
  std::string shown_;
};

// A browser saves it under this name, of which only letters, digits and a few marks are taken.
void set_attachment(Reply& reply, const std::string& filename);

}  // namespace hearth
