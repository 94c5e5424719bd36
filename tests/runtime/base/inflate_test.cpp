#include "runtime/base/inflate.h"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace hearth {
namespace {

// Of "hearth " 100 times: Python's zlib.compressobj(9, zlib.DEFLATED, -15), and gzip.compress(text, mtime=0).
constexpr std::string_view kRaw("\313\110\115\054\052\311\120\310\030\245\106\251\241\106\001\000", 16);
constexpr std::string_view kGzip(
    "\037\213\010\000\000\000\000\000\002\003\313\110\115\054\052\311\120\310\030\245\106\251\241\106\001\000\021\303"
    "\300\115\274\002\000\000",
    34);

std::string text() {
  std::string out;
  for (int i = 0; i < 100; ++i) out += "hearth ";
  return out;
}

TEST(Inflate, GivesWhatWasPacked) {
  EXPECT_EQ(inflated(kRaw, Deflated::kRaw, 700), text());
  EXPECT_EQ(inflated(kGzip, Deflated::kGzip, 1 << 20), text());
}

TEST(Inflate, GivesNothingOfAnythingElse) {
  EXPECT_FALSE(inflated(kRaw, Deflated::kRaw, 699)) << "more than was allowed";
  EXPECT_FALSE(inflated(kRaw.substr(0, kRaw.size() - 1), Deflated::kRaw, 700)) << "cut short";
  EXPECT_FALSE(inflated(kGzip, Deflated::kRaw, 700));
  EXPECT_FALSE(inflated("", Deflated::kRaw, 700));
  std::string damaged(kGzip);
  damaged[damaged.size() - 6] ^= 1;  // of the checksum
  EXPECT_FALSE(inflated(damaged, Deflated::kGzip, 700));
}

}  // namespace
}  // namespace hearth
