// Has the cluster done what was asked? Pure judgements over what the API says; src/komainu/request.cc waits
// by them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/documents/model.h"

namespace komainu::cli {

enum class Progress : std::uint8_t {
  kGoing,
  kStuck,  // nothing is under way that could still bring it about; final if it stays so for a moment
  kReached,
  kMissed,
};

struct Judgement {
  Progress progress = Progress::kGoing;
  std::string text;  // "orders-db is online on guest2"
};

// `node` is where it was asked to be, if anywhere in particular.
Judgement started(const api::Explanation& now, const std::optional<std::string>& node);
Judgement stopped(const api::Explanation& now);
// `from` is where it was online when it was asked to move.
Judgement moved(const api::Explanation& now, const std::optional<std::string>& from,
                const std::optional<std::string>& node);
// `here` are the groups that are still on the node.
Judgement emptied(const api::NodeView& node, const std::vector<api::Explanation>& here);
// After its fence was asked for: the wish lasts until it has come true, or is given up.
Judgement switched_off(const api::NodeView& node);

}  // namespace komainu::cli
