// Which addresses are of the public internet, where anybody may ask, and which are this machine's or its networks'.
#pragma once

#include <sys/socket.h>

namespace hearth {

// False for every address of IANA's special-purpose registries (RFC 6890 and its successors) that is not globally
// reachable, for multicast, for IPv6 addresses that hold an IPv4 address of these kinds (mapped, NAT64, 6to4), and for
// families other than IPv4 and IPv6.
bool is_public_address(const sockaddr& address);

}  // namespace hearth
