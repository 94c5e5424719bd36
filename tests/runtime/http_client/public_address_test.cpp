// Every range that is not of the public internet, at its borders, and every spelling of an address that leads there.
#include "runtime/http_client/public_address.h"

#include <string>

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/un.h>

namespace hearth {
namespace {

bool is_public(const std::string& text) {
  if (text.find(':') != std::string::npos) {
    sockaddr_in6 six{};
    six.sin6_family = AF_INET6;
    EXPECT_EQ(::inet_pton(AF_INET6, text.c_str(), &six.sin6_addr), 1) << text;
    return is_public_address(reinterpret_cast<const sockaddr&>(six));
  }
  sockaddr_in four{};
  four.sin_family = AF_INET;
  EXPECT_EQ(::inet_pton(AF_INET, text.c_str(), &four.sin_addr), 1) << text;
  return is_public_address(reinterpret_cast<const sockaddr&>(four));
}

struct Range {
  const char *before, *first, *last, *after;  // before and after are public; empty: there is none
};

TEST(PublicAddress, TheBordersOfEveryIpv4Range) {
  const Range ranges[] = {
      {"", "0.0.0.0", "0.255.255.255", "1.0.0.0"},
      {"9.255.255.255", "10.0.0.0", "10.255.255.255", "11.0.0.0"},
      {"100.63.255.255", "100.64.0.0", "100.127.255.255", "100.128.0.0"},
      {"126.255.255.255", "127.0.0.0", "127.255.255.255", "128.0.0.0"},
      {"169.253.255.255", "169.254.0.0", "169.254.255.255", "169.255.0.0"},
      {"172.15.255.255", "172.16.0.0", "172.31.255.255", "172.32.0.0"},
      {"191.255.255.255", "192.0.0.0", "192.0.0.255", "192.0.1.0"},
      {"192.0.1.255", "192.0.2.0", "192.0.2.255", "192.0.3.0"},
      {"192.88.98.255", "192.88.99.0", "192.88.99.255", "192.88.100.0"},
      {"192.167.255.255", "192.168.0.0", "192.168.255.255", "192.169.0.0"},
      {"198.17.255.255", "198.18.0.0", "198.19.255.255", "198.20.0.0"},
      {"198.51.99.255", "198.51.100.0", "198.51.100.255", "198.51.101.0"},
      {"203.0.112.255", "203.0.113.0", "203.0.113.255", "203.0.114.0"},
      {"223.255.255.255", "224.0.0.0", "239.255.255.255", ""},
      {"", "240.0.0.0", "255.255.255.255", ""},
  };
  for (const Range& range : ranges) {
    for (const std::string prefix : {"", "::ffff:", "64:ff9b::"}) {
      EXPECT_FALSE(is_public(prefix + range.first)) << prefix << range.first;
      EXPECT_FALSE(is_public(prefix + range.last)) << prefix << range.last;
      if (*range.before) {
        EXPECT_TRUE(is_public(prefix + range.before)) << prefix << range.before;
      }
      if (*range.after) {
        EXPECT_TRUE(is_public(prefix + range.after)) << prefix << range.after;
      }
    }
    EXPECT_FALSE(is_public(std::string("::") + range.last));
    if (*range.after) {
      EXPECT_FALSE(is_public(std::string("::") + range.after)) << "compatible addresses are gone";
    }
  }
}

TEST(PublicAddress, Ipv6) {
  for (const char* text : {"::",
                           "::1",
                           "100::1",
                           "64:ff9b:1::808:808",
                           "1fff:ffff::1",
                           "2001::1",
                           "2001:0:4136:e378:8000:63bf:3fff:fdd2",
                           "2001:2::1",
                           "2001:10::1",
                           "2001:1ff:ffff::1",
                           "2001:db8::1",
                           "2001:db8:ffff::1",
                           "2002:7f00:1::1",
                           "2002:a00:1::1",
                           "2002:a9fe:a9fe::",
                           "2002:c0a8:101::1",
                           "3fff::1",
                           "3fff:fff::1",
                           "4000::1",
                           "5f00::1",
                           "fc00::1",
                           "fdff:ffff::1",
                           "fe80::1",
                           "febf::1",
                           "fec0::1",
                           "ff00::1",
                           "ff02::1",
                           "ffff::1",
                           "::ffff:0:127.0.0.1"})
    EXPECT_FALSE(is_public(text)) << text;
  for (const char* text : {"2000::1", "2001:200::1", "2001:4860:4860::8888", "2001:db7:ffff::1", "2001:db9::1",
                           "2002:808:808::1", "2606:4700::1111", "2a00:1450::1", "3ffe::1", "3fff:1000::1"})
    EXPECT_TRUE(is_public(text)) << text;
}

TEST(PublicAddress, OtherFamiliesAreNone) {
  sockaddr_un other{};
  other.sun_family = AF_UNIX;
  EXPECT_FALSE(is_public_address(reinterpret_cast<const sockaddr&>(other)));
}

}  // namespace
}  // namespace hearth
