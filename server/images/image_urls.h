// Which http and https URLs of pictures the daemon fetches for its clients. Whoever may send a request makes the daemon
// ask other machines, from where it stands: so none is fetched unless the configuration says so.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace hearth {

struct ImageUrls {
  enum class From {
    kNowhere,
    kPublic,  // hosts whose address is a public one when it is connected to
    kHosts,   // those of `hosts`, whatever their address
  };
  struct Host {
    std::string name;  // in lower case
    int port = 0;      // 0: 80 and 443
  };

  From from = From::kNowhere;
  std::vector<Host> hosts = {};

  bool has_host(std::string_view name, int port) const;
};

// "off", "public", or "HOST[:PORT],...". Throws kInvalidArgument.
ImageUrls parse_image_urls(std::string_view text);

}  // namespace hearth
