// Addresses: which may be asked, which belong together. libcurl takes them apart.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ovenbird {

/// Whether `url` can be a hub: http or https, a host, no user's name, no query.
bool is_endpoint(const std::string& url);

/// Scheme, host and port, so that two addresses of one server compare equal; empty: no address.
std::string origin_of(const std::string& url);

/// The server as people write it: "HOST", or "HOST:PORT" where the address has a port.
std::string server_of(const std::string& url);

/// Where `location`, which may be relative, leads from `base`. None: nowhere, or with a user's
/// name.
std::optional<std::string> redirected(const std::string& base, const std::string& location);

/// https always; http only where the user's own endpoint says http: that server, and loopback.
bool may_be_asked(const std::string& url, const std::string& endpoint);

/// For one part of a path: everything but letters, digits and "-._~" as %XX. `keep` is left too.
std::string percent_encoded(std::string_view text, std::string_view keep = "");

}  // namespace ovenbird
