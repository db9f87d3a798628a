// Which requests reach the pages at all: looked at before anything is routed or a body is read.
//
// Without accounts the server answers only requests that name this machine as their host and come from its
// own page, so that a web page elsewhere can neither read nor write here (DNS rebinding, cross-site
// requests). With accounts it may be called by other names, too; a change must still come from its own page.
#pragma once

#include <httplib.h>

#include <optional>
#include <string>

namespace keel {

inline constexpr size_t kLargestBody = 1 << 16;

struct Refusal {
  int status = 0;
  std::string message = {};
};

/// "127.0.0.1", "localhost" or "::1".
bool is_loopback(const std::string& host);

/// An IPv6 address in brackets, as URLs have it; any other as it is.
std::string bracketed(const std::string& host);

/// Where the pages are.
struct Place {
  int port = 0;
  std::string public_url = {};  // "https://label.example.org" of a proxy, or ""
  bool open = false;            // listens on addresses that other machines reach
};

/// "label.example.org" out of "https://label.example.org".
/// Errors: UsageError for anything but https:// and a host, maybe with a port.
std::string host_of_url(const std::string& url);

/// Nothing: the request may go on.
std::optional<Refusal> check_request(const httplib::Request& request, const Place& place);

/// Who sent it: the address, or behind a proxy the one that the proxy saw; of IPv6 the network of 64 bits,
/// which one person has whole.
std::string sender_of(const httplib::Request& request, bool behind_proxy);

}  // namespace keel
