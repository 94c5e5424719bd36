#include "runtime/http_client/public_address.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include <netinet/in.h>
#include <sys/socket.h>

namespace hearth {
namespace {

using Bytes = std::array<uint8_t, 16>;  // in network order; of IPv4 the first four

struct Prefix {
  Bytes address;
  int bits;
};

constexpr Prefix kNotPublic4[] = {
    {{0}, 8},              // this network
    {{10}, 8},             // private
    {{100, 64}, 10},       // between carriers and their customers
    {{127}, 8},            // loopback
    {{169, 254}, 16},      // link-local, clouds' metadata
    {{172, 16}, 12},       // private
    {{192, 0, 0}, 24},     // protocol assignments
    {{192, 0, 2}, 24},     // documentation
    {{192, 88, 99}, 24},   // relays of 6to4
    {{192, 168}, 16},      // private
    {{198, 18}, 15},       // benchmarks
    {{198, 51, 100}, 24},  // documentation
    {{203, 0, 113}, 24},   // documentation
    {{224}, 4},            // multicast
    {{240}, 4},            // reserved, broadcast
};

// Global unicast is 2000::/3; all else (loopback, ::a.b.c.d, unique local, link-local, multicast) is not public.
constexpr Prefix kGlobalUnicast6 = {{0x20}, 3};
constexpr Prefix kNotPublic6[] = {
    {{0x20, 0x01, 0x00}, 23},        // protocol assignments: Teredo, benchmarks, ORCHID
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x3f, 0xff}, 20},              // documentation
};

// What holds an IPv4 address, and at which byte.
struct Embedding {
  Prefix prefix;
  int at;
};
constexpr Embedding kEmbeddings[] = {
    {{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96}, 12},  // mapped
    {{{0x00, 0x64, 0xff, 0x9b}, 96}, 12},                    // NAT64
    {{{0x20, 0x02}, 16}, 2},                                 // 6to4
};

bool lies_in(const Bytes& address, const Prefix& prefix) {
  const int whole = prefix.bits / 8, rest = prefix.bits % 8;
  if (!std::equal(address.begin(), address.begin() + whole, prefix.address.begin())) return false;
  return rest == 0 || ((address[whole] ^ prefix.address[whole]) >> (8 - rest)) == 0;
}

bool lies_in_any(const Bytes& address, std::span<const Prefix> prefixes) {
  return std::ranges::any_of(prefixes, [&](const Prefix& prefix) { return lies_in(address, prefix); });
}

bool is_public4(const Bytes& address) { return !lies_in_any(address, kNotPublic4); }

bool is_public6(const Bytes& address) {
  for (const Embedding& embedding : kEmbeddings) {
    if (!lies_in(address, embedding.prefix)) continue;
    Bytes embedded{};
    std::copy_n(address.begin() + embedding.at, 4, embedded.begin());
    return is_public4(embedded);
  }
  return lies_in(address, kGlobalUnicast6) && !lies_in_any(address, kNotPublic6);
}

}  // namespace

bool is_public_address(const sockaddr& address) {
  Bytes bytes{};
  if (address.sa_family == AF_INET) {
    sockaddr_in four;
    std::memcpy(&four, &address, sizeof four);
    std::memcpy(bytes.data(), &four.sin_addr, sizeof four.sin_addr);
    return is_public4(bytes);
  }
  if (address.sa_family != AF_INET6) return false;
  sockaddr_in6 six;
  std::memcpy(&six, &address, sizeof six);
  std::memcpy(bytes.data(), &six.sin6_addr, sizeof six.sin6_addr);
  return is_public6(bytes);
}

}  // namespace hearth
