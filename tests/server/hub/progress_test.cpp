#include "server/hub/progress.h"

#include <memory>

#include <gtest/gtest.h>

namespace hearth {
namespace {

TEST(DownloadProgress, BytesAndDurationsAsPeopleReadThem) {
  EXPECT_EQ(format_bytes(999), "999 B");
  EXPECT_EQ(format_bytes(98'362'432), "98.4 MB");
  EXPECT_EQ(format_bytes(999'999'999), "1.0 GB");
  EXPECT_EQ(format_duration(7), "0:07");
  EXPECT_EQ(format_duration(750), "12:30");
  EXPECT_EQ(format_duration(3723), "1:02:03");
  EXPECT_EQ(format_duration(-1), "0:00");
}

TEST(DownloadProgress, OutsideATerminalEachFileIsAPlainLine) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> out(std::tmpfile(), std::fclose);
  {
    DownloadProgress progress("org/name", out.get(), /*terminal=*/false);
    progress.start(2000, 0);
    progress.add(2000);
    progress.file_done("model.gguf", 2000);
    progress.finish();
  }
  std::rewind(out.get());
  char text[200] = "";
  const size_t size = std::fread(text, 1, sizeof(text), out.get());
  EXPECT_EQ(std::string(text, size), "org/name: model.gguf (2.0 kB)\n");
}

}  // namespace
}  // namespace hearth
