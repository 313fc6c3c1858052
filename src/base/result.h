// Failures travel as values. An Error is for a person: what was attempted, on what, and what the operator can
// do.
#pragma once

#include <expected>
#include <string>
#include <tuple>
#include <utility>

namespace komainu {

struct Error {
  std::string what;  // "cannot read /etc/komainu/cluster.toml: Permission denied"
  std::string help;  // what to do about it; empty where nothing can be said

  bool operator==(const Error&) const = default;
  auto fields() const { return std::tie(what, help); }
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> failure(std::string what, std::string help = {}) {
  return std::unexpected(Error{std::move(what), std::move(help)});
}

}  // namespace komainu
