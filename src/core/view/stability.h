// When is it safe to act on a position of the stream? Corosync delivers in agreed order, not safe: what one
// member delivered, others may never see. A position is safe to act on when no quorate view that misses it
// can exist.
#pragma once

#include "core/rules.h"
#include "core/spec.h"

namespace komainu::core {

// `ackers`: members that acknowledged the position, durably where it depends on the store. `members`: daemons
// in the process group, whether they said Hello or not. `settled`: nodes known to be off.
inline bool stable(const Spec& spec, NodeSet members, NodeSet settled, NodeSet ackers) {
  if (!applies(Rule::kStability) || ackers.includes(members - settled)) return true;
  return !spec.could_be_quorate(spec.node_ids() - ackers);
}

// A fence only ever stops things, so less is asked: everyone who answers, but the target, knows of it, and
// they are quorate without it.
inline bool fence_stable(const Spec& spec, NodeSet members, NodeSet suspended, NodeId target,
                         NodeSet ackers) {
  NodeSet asked = members - suspended;
  asked.erase(target);
  ackers.erase(target);
  return ackers.includes(asked) && spec.could_be_quorate(ackers);
}

}  // namespace komainu::core
