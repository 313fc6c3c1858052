// For the witness's own tests.
#pragma once

#include "time.h"

namespace komainu::witness {

inline Time at(int ms) {
  return Time(std::chrono::milliseconds(ms));
}

}  // namespace komainu::witness
