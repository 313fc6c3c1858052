// Those of the scripted schedules (cases_test.cc) that a rule of core/rules.h guards: each fails without it.
#pragma once

namespace komainu::sim {

void a_start_is_delivered_by_its_own_node_only();
void the_vote_moves_from_one_half_to_the_other();
void a_cut_comes_before_the_first_start();
void a_late_power_off_comes();
void a_late_power_on_comes();
void a_message_outlives_its_view();
void a_message_outlives_its_ring();
void a_joiner_starts_over_during_its_snapshot();
void a_member_forgets_what_it_acknowledged();
void a_member_comes_back_without_its_stores_latest();
void a_store_is_lost_with_what_it_knew();
void a_node_that_left_was_taken_back_unseen();

}  // namespace komainu::sim
