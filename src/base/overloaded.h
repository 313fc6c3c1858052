// One function object of several, for std::visit: a case for each alternative.
#pragma once

namespace komainu {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace komainu
