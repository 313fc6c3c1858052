#include "komainud/decision_version.h"

#include "core/replica.h"

#ifndef KOMAINU_DECISION_VERSION
#define KOMAINU_DECISION_VERSION core::kDecisionVersion
#endif

namespace komainu {

const std::uint32_t decision_version = KOMAINU_DECISION_VERSION;

}  // namespace komainu
