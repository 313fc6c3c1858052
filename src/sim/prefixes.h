// Beginnings of explorations (Exploration::and_then) where the interesting part is far from an idle cluster.
#pragma once

#include "sim/world.h"

namespace komainu::sim::prefix {

// Of two, each is alone.
void a_split(World& world);
// Of two, a is about to switch b off.
void a_fences_b(World& world);
// Of three, a start at a was in the stream, and only a had delivered it when the ring broke: it is alone now.
void a_start_only_a_heard(World& world);
// … and before it b and c were suspended, of which they have heard nothing either.
void a_start_with_both_others_suspended(World& world);
// Of three, a runs the group with b's acknowledgement; c has not heard of it, and b has lost its memory.
void b_forgets_a_start(World& world);
// Of three with leases, a runs the group; b and c have acknowledged its latest Alive, which a itself has not
// delivered, and are a view of their own now.
void a_is_cut_off_before_it_hears_of_its_lease(World& world);
// Of four, a and b were ahead of c; b has acknowledged a start on a and then lost its memory, but for its
// store.
void b_loses_what_it_had_not_stored(World& world);
// … and its store as well.
void b_loses_its_store_too(World& world);

}  // namespace komainu::sim::prefix
