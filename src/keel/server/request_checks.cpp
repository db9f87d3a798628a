#include "keel/server/request_checks.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "keel/base/error.h"

namespace keel {
namespace {

constexpr std::array<const char*, 3> kThisMachine = {"127.0.0.1", "localhost", "::1"};
constexpr std::string_view kHttps = "https://";

// "127.0.0.1:8080", "localhost:8080", "[::1]:8080": what a browser on this machine puts into Host.
bool names_this_server(std::string_view host, int port) {
  return std::any_of(kThisMachine.begin(), kThisMachine.end(), [&](const char* name) {
    const std::string address = bracketed(name);
    return host == address + ":" + std::to_string(port) || (port == 80 && host == address);
  });
}

bool names_the_proxy(const std::string& host, const Place& place) {
  return !place.public_url.empty() && host == host_of_url(place.public_url);
}

std::optional<Refusal> check_host(const httplib::Request& request, const Place& place) {
  const std::string host = request.get_header_value("Host");
  if (request.get_header_value_count("Host") == 1 && !host.empty() &&
      (place.open || names_this_server(host, place.port) || names_the_proxy(host, place)))
    return std::nullopt;
  return Refusal{403, "expected this machine's name as Host: open the page by its address"};
}

// Browsers send Origin with every POST, and newer ones say themselves whether it came from the page's own
// site.
std::optional<Refusal> check_origin(const httplib::Request& request, const Place& place) {
  const std::string host = request.get_header_value("Host");
  const std::string own = names_the_proxy(host, place) ? place.public_url : "http://" + host;
  const bool other_origin = request.has_header("Origin") && request.get_header_value("Origin") != own;
  const std::string site = request.get_header_value("Sec-Fetch-Site");
  if (other_origin || request.get_header_value_count("Origin") > 1 ||
      (!site.empty() && site != "same-origin"))
    return Refusal{403, "expected a request of the page itself, got one of another site"};
  return std::nullopt;
}

// A body that Keel wants is JSON of a stated, small length; nothing that unpacks or comes in pieces.
std::optional<Refusal> check_body(const httplib::Request& request) {
  const std::string type = request.get_header_value("Content-Type");
  if (type != "application/json" && !type.starts_with("application/json;"))
    return Refusal{415, "expected Content-Type application/json"};
  if (request.has_header("Transfer-Encoding") || !request.has_header("Content-Length"))
    return Refusal{411, "expected a Content-Length"};
  if (request.has_header("Content-Encoding")) return Refusal{415, "expected a body that is not compressed"};
  const std::string length = request.get_header_value("Content-Length");
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(length.data(), length.data() + length.size(), bytes);
  if (error == std::errc::invalid_argument || end != length.data() + length.size())
    return Refusal{400, "expected a number as Content-Length"};
  if (error != std::errc() || bytes > kLargestBody)
    return Refusal{413, "expected a body of at most " + std::to_string(kLargestBody) + " bytes"};
  return std::nullopt;
}

}  // namespace

bool is_loopback(const std::string& host) {
  return std::find(kThisMachine.begin(), kThisMachine.end(), host) != kThisMachine.end();
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

std::string host_of_url(const std::string& url) {
  const std::string host = url.starts_with(kHttps) ? url.substr(kHttps.size()) : "";
  if (host.empty() || host.find_first_of("/?#@ \t\r\n") != std::string::npos)
    throw UsageError("behind_proxy",
                     "expected https:// and a host, as https://label.example.org, got " + url);
  return host;
}

std::optional<Refusal> check_request(const httplib::Request& request, const Place& place) {
  if (auto refusal = check_host(request, place)) return refusal;
  if (request.method == "GET" || request.method == "HEAD") return std::nullopt;
  if (request.method != "POST") return Refusal{405, "expected GET or POST"};
  if (auto refusal = check_origin(request, place)) return refusal;
  return check_body(request);
}

std::string sender_of(const httplib::Request& request, bool behind_proxy) {
  std::string address = request.remote_addr;
  if (behind_proxy && request.has_header("X-Forwarded-For")) {
    // The proxy adds what it saw to the end; what stands before it is the sender's own claim.
    const size_t count = request.get_header_value_count("X-Forwarded-For");
    address = request.get_header_value("X-Forwarded-For", count - 1);
    address = address.substr(address.rfind(',') + 1);
    address.erase(0, address.find_first_not_of(' '));
  }
  in6_addr six{};
  if (inet_pton(AF_INET6, address.c_str(), &six) != 1 || IN6_IS_ADDR_V4MAPPED(&six)) return address;
  return "network " + std::string(six.s6_addr, six.s6_addr + 8);
}

}  // namespace keel
