//! The list of clauses, written once: for [`CLAUSES`] and for [`suite!`](crate::suite).

use crate::{Clause, Fixture};

/// Makes one test for each clause, named as the clause.
///
/// Takes an expression that makes an empty store: `async || Fixture::new(…)`, or the name of an
/// `async fn() -> Fixture`. Expands to functions, so each suite goes into a module or a file of its
/// own.
///
/// ```
/// use sessionup_conformance::Fixture;
/// use sessionup_core::{MemoryStore, StoreExt};
///
/// mod memory {
///     # use super::*;
///     sessionup_conformance::suite!(async || Fixture::new(MemoryStore::new()));
/// }
/// mod erased {
///     # use super::*;
///     sessionup_conformance::suite!(async || Fixture::new(MemoryStore::new().into_dyn()));
/// }
/// ```
#[macro_export]
macro_rules! suite {
    ($make:expr) => {
        $crate::__for_each_clause!([$crate::__tests], $make);
    };
}

/// Hands the list to a macro, after what that macro is to be given besides.
#[doc(hidden)]
#[macro_export]
macro_rules! __for_each_clause {
    ([$($callback:tt)+] $(, $argument:expr)?) => {
        $($callback)+! {
            $($argument)?;
            create {
                create_keeps_every_field,
                create_keeps_meta,
                create_keeps_times,
                create_keeps_ids_of_any_bytes_apart,
                create_keeps_hashes_of_any_bytes,
                create_refuses_a_taken_id,
                create_refuses_the_id_of_an_expired_session,
                create_refuses_the_id_of_another_users_session,
                refused_duplicate_leaves_the_replaced_session_alone,
                refused_duplicate_evicts_nobody,
                create_ends_the_replaced_session,
                create_ends_the_replaced_session_of_another_user,
                create_replacing_another_kind_ends_it,
                create_replacing_an_absent_session_is_no_error,
                create_replacing_its_own_id_is_a_duplicate,
            }
            limit {
                limit_with_room_left_ends_no_session,
                limit_evicts_the_oldest,
                limit_evicts_the_least_recently_seen,
                limit_refuses_where_the_policy_says_so,
                lowered_limit_evicts_several,
                limit_breaks_ties_by_creation_then_id,
                limit_does_not_count_expired_sessions,
                limit_does_not_count_other_users,
                limit_counts_sessions_of_one_kind,
                limit_does_not_count_the_replaced_session,
                limit_replacing_another_kind_makes_no_room,
                refused_create_leaves_the_replaced_session_alive,
                evicted_session_is_gone,
            }
            fetch {
                fetch_of_an_unknown_id_is_none,
                session_is_live_until_its_absolute_deadline,
                session_is_live_until_its_idle_deadline,
                earlier_deadline_ends_the_session,
                far_deadline_does_not_overflow,
                expired_session_hides_no_other,
            }
            list {
                list_page_is_in_order_of_ids,
                list_page_order_is_not_changed_by_use,
                list_pages_hold_every_session_once,
                list_page_begins_behind_its_cursor,
                list_page_takes_any_cursor,
                list_page_takes_any_limit,
                list_pages_hold_what_stays_meanwhile,
                list_page_holds_one_kind,
                list_leaves_out_expired_sessions,
                list_of_an_unknown_user_is_empty,
                list_holds_exactly_this_user,
                users_and_ids_are_not_run_together,
                list_holds_many_sessions,
                list_agrees_with_fetch_after_every_operation,
            }
            update {
                update_returns_the_record_as_it_is_afterwards,
                update_keeps_what_it_does_not_name,
                update_of_any_kind_keeps_the_kind,
                update_leaves_other_sessions_alone,
                touch_is_seen_by_the_next_read,
                last_seen_never_moves_back,
                touch_moves_the_idle_deadline,
                touch_never_moves_the_absolute_deadline,
                later_deadline_is_respected,
                earlier_deadline_is_respected,
                past_deadline_ends_the_session,
                renew_swaps_the_hash_and_keeps_the_rest,
                former_secret_is_kept_until_another_one_is,
            }
            update_meta {
                meta_entries_are_merged_by_name,
                meta_entries_are_removed_by_name,
                meta_values_are_replaced_as_a_whole,
                meta_out_of_bounds_changes_nothing,
                meta_may_reach_its_bounds,
                meta_from_old_entries_is_not_set,
            }
            update_refused {
                update_of_an_absent_session_makes_nothing,
                update_of_an_expired_session_changes_nothing,
                update_of_an_idle_session_changes_nothing,
                refused_update_leaves_the_session_to_prune,
                update_after_delete_does_not_revive,
                update_after_delete_user_does_not_revive,
                update_after_delete_others_does_not_revive,
                update_after_delete_all_does_not_revive,
                update_after_replacement_does_not_revive,
                update_after_eviction_does_not_revive,
                update_after_prune_does_not_revive,
                renew_of_the_former_session_leaves_the_new_one_alone,
                renew_from_a_stale_hash_changes_nothing,
                renew_over_another_former_secret_changes_nothing,
            }
            delete {
                delete_ends_the_session,
                delete_by_its_owner_ends_the_session,
                delete_by_another_user_leaves_the_session_alone,
                delete_of_an_absent_session_deletes_nothing,
                second_delete_deletes_nothing,
                delete_reaches_expired_sessions,
                delete_of_any_kind_ends_the_session,
                deleted_id_may_be_created_again,
            }
            delete_user {
                delete_user_deletes_all_sessions,
                delete_user_deletes_many_sessions,
                delete_user_keeps_the_excepted,
                delete_user_takes_any_exceptions,
                delete_user_deletes_exactly_this_user,
                delete_user_takes_any_character,
                delete_user_without_sessions_deletes_none,
                delete_user_reaches_expired_sessions,
                delete_user_reaches_every_kind,
                user_may_return_after_delete_user,
            }
            delete_others {
                delete_others_keeps_and_changes_one,
                delete_others_deletes_many_sessions,
                delete_others_makes_any_change,
                delete_others_kept_session_has_new_deadline,
                delete_others_kept_session_stays_usable,
                delete_others_of_absent_session_deletes_all,
                delete_others_of_expired_session_deletes_all,
                delete_others_of_foreign_session_deletes_all,
                delete_others_of_changed_session_deletes_all,
                delete_others_with_invalid_meta_changes_nothing,
                delete_others_may_reach_bounds_of_meta,
                delete_others_reaches_expired_sessions,
                delete_others_reaches_every_kind,
                delete_others_deletes_exactly_this_user,
                create_after_delete_others_reuses_ids,
            }
            delete_all {
                delete_all_deletes_sessions_of_every_user,
                delete_all_deletes_many_sessions,
                delete_all_of_empty_store_deletes_none,
                delete_all_reaches_expired_sessions,
                delete_all_reaches_every_kind,
                create_after_delete_all_reuses_ids,
            }
            overtaken {
                login_from_before_delete_user_is_refused,
                delete_user_of_nothing_overtakes_too,
                overtaken_login_leaves_the_replaced_session_alive,
                login_from_after_delete_user_is_made,
                delete_user_overtakes_no_other_user,
                delete_user_overtakes_logins_of_every_kind,
                login_from_before_delete_others_is_refused,
                login_from_after_delete_others_is_made,
                delete_others_overtakes_no_other_user,
                login_from_before_delete_all_is_refused,
                login_from_after_delete_all_is_made,
                nothing_else_overtakes_a_login,
                delete_user_tells_of_the_one_before,
                delete_others_tells_of_the_one_before,
                delete_user_after_delete_all_tells_of_it,
                moment_of_another_opening_is_refused,
                login_at_once_with_delete_user_leaves_no_session,
                login_at_once_with_delete_others_leaves_none,
                login_at_once_with_delete_all_leaves_none,
            }
            prune {
                prune_deletes_from_the_deadline_on,
                prune_deletes_exactly_the_expired,
                prune_reaches_every_kind,
                prune_stops_at_its_bound,
                prune_of_none_deletes_none,
                prune_in_batches_comes_to_an_end,
                prune_takes_any_bound,
                prune_keeps_a_touched_session,
                prune_reaches_past_touched_sessions,
                prune_goes_by_the_present_deadline,
                pruned_id_may_be_created_again,
            }
            concurrent {
                creates_of_one_id_succeed_once,
                limit_is_exact_when_the_oldest_gives_way,
                limit_is_exact_when_the_least_recently_seen_gives_way,
                limit_is_exact_when_it_refuses,
                changes_of_different_entries_all_survive,
                latest_of_touches_at_once_counts,
                one_of_renewals_at_once_is_made,
                update_is_never_seen_by_halves,
                replacement_is_never_seen_by_halves,
                session_is_replaced_once,
                users_at_once_keep_their_own,
            }
            revoke {
                deleted_session_never_comes_back,
                session_of_a_deleted_user_never_comes_back,
                session_deleted_with_others_never_comes_back,
                session_deleted_with_all_never_comes_back,
                replaced_session_never_comes_back,
                session_is_deleted_once,
                session_is_deleted_or_replaced,
                delete_user_ends_what_was_made_before,
                delete_others_ends_what_was_made_before,
                delete_all_ends_what_was_made_before,
                delete_user_is_never_seen_by_halves,
                delete_others_is_never_seen_by_halves,
                delete_all_is_never_seen_by_halves,
                delete_others_at_once_leave_no_session,
                delete_others_or_renewal_at_once_is_made,
                delete_others_at_once_keeps_other_changes,
                touched_session_survives_a_prune_at_once,
                record_is_pruned_once,
            }
            cancel {
                unpolled_operations_do_nothing,
                dropped_create_is_whole_or_nothing,
                dropped_update_is_whole_or_nothing,
                dropped_touch_is_whole_or_nothing,
                dropped_delete_is_whole_or_nothing,
                dropped_delete_user_is_whole_or_nothing,
                dropped_delete_others_is_whole_or_nothing,
                dropped_delete_all_is_whole_or_nothing,
                dropped_prune_is_harmless,
                dropped_reads_change_nothing,
            }
            runtime {
                operations_run_outside_a_runtime,
                operations_may_change_threads,
            }
            clones {
                clone_holds_the_same_records,
                clone_returns_the_same_shared_state,
                clone_overtakes_logins_of_the_original,
            }
            watermark {
                shared_state_is_one,
                watermark_is_that_of_shared_state,
                watermark_is_one,
                operations_leave_the_watermark_alone,
                watermark_ends_no_session,
            }
            model {
                answers_are_those_of_the_reference,
            }
        }
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __tests {
    ($make:expr; $($family:ident { $($clause:ident,)* })*) => {$($(
        #[test]
        fn $clause() {
            $crate::run_named(::core::stringify!($clause), $make);
        }
    )*)*};
}

macro_rules! table {
    (; $($family:ident { $($clause:ident,)* })*) => {
        &[$($(
            Clause {
                name: stringify!($clause),
                family: stringify!($family),
                check: |fixture| Box::pin(crate::clauses::$family::$clause(fixture)),
            },
        )*)*]
    };
}

/// All clauses, in the order of the contract.
pub const CLAUSES: &[Clause] = __for_each_clause!([table]);

/// Runs a clause by its name, which must be in the list.
#[doc(hidden)]
pub fn run_named(name: &str, make: impl AsyncFnOnce() -> Fixture) {
    let clause = CLAUSES.iter().find(|clause| clause.name == name);
    clause.expect("a clause of the list").run(make);
}
