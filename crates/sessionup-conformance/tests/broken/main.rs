//! Does the suite bite? Stores with one defect each, and the clauses that must catch them.

#![expect(clippy::unwrap_used, reason = "a defect may fail loudly")]

mod clones;
mod create;
mod defect;
mod delete;
mod delete_all;
mod delete_others;
mod futures;
mod limit;
mod overtaken;
mod prune;
mod read;
mod update;
mod watermark;

use sessionup_conformance::CLAUSES;

use defect::{Defect, Right, failed_clauses};

/// One test for each defect: the clauses that are meant for it fail. And a list of these clauses.
macro_rules! caught {
    ($($module:ident :: $defect:ident by $($clause:ident),+;)*) => {
        const BITING: &[&str] = &[$($(stringify!($clause)),+),*];

        #[expect(non_snake_case, reason = "named for the defects")]
        mod caught {
            $(
                #[test]
                fn $defect() {
                    let meant = [$(stringify!($clause)),+];
                    super::expect_caught::<super::$module::$defect>(&meant);
                }
            )*
        }
    };
}

fn expect_caught<D: Defect>(meant: &[&str]) {
    let failed = failed_clauses::<D>(|name| meant.contains(&name));
    let passed: Vec<_> = meant.iter().filter(|name| !failed.contains(name)).collect();
    assert!(
        passed.is_empty(),
        "{passed:?} let it pass, only these do not: {:?}",
        failed_clauses::<D>(|_| true)
    );
}

#[test]
fn every_clause_is_meant_for_a_defect() {
    let toothless: Vec<_> = CLAUSES
        .iter()
        .map(|clause| clause.name)
        .filter(|name| !BITING.contains(name))
        .collect();
    assert_eq!(toothless, Vec::<&str>::new());
}

#[test]
fn store_without_defect_fails_no_clause() {
    assert_eq!(failed_clauses::<Right>(|_| true), Vec::<&str>::new());
}

caught! {
    create::ChecksThenInserts by creates_of_one_id_succeed_once;
    create::CutsTimesToSeconds by create_keeps_times;
    create::DropsClient by create_keeps_every_field;
    create::DropsKind by
        create_keeps_every_field,
        answers_are_those_of_the_reference;
    create::DropsAuthentication by create_keeps_every_field;
    create::DropsMeta by create_keeps_meta;
    create::DropsReplaced by create_keeps_every_field;
    create::IgnoresReplaces by create_ends_the_replaced_session;
    create::MixesUpNeighbours by
        create_keeps_ids_of_any_bytes_apart,
        fetch_of_an_unknown_id_is_none;
    create::NeedsTheReplaced by create_replacing_an_absent_session_is_no_error;
    create::OverwritesExpired by create_refuses_the_id_of_an_expired_session;
    create::OverwritesForeign by create_refuses_the_id_of_another_users_session;
    create::ReplacesInTwoSteps by
        replacement_is_never_seen_by_halves,
        dropped_create_is_whole_or_nothing;
    create::ReplacesItself by create_replacing_its_own_id_is_a_duplicate;
    create::ReplacesOwnKindOnly by create_replacing_another_kind_ends_it;
    create::ReplacesOwnOnly by create_ends_the_replaced_session_of_another_user;
    create::ReplacesThoughRefused by
        refused_create_leaves_the_replaced_session_alive,
        refused_duplicate_leaves_the_replaced_session_alone;
    create::SaysItReplaced by session_is_replaced_once;
    create::StopsAtZero by create_keeps_hashes_of_any_bytes;
    create::Upserts by create_refuses_a_taken_id;

    limit::ChecksLimitThenInserts by
        limit_is_exact_when_it_refuses,
        limit_is_exact_when_the_oldest_gives_way,
        limit_is_exact_when_the_least_recently_seen_gives_way;
    limit::CountsByPrefix by limit_does_not_count_other_users;
    limit::CountsEveryKind by limit_counts_sessions_of_one_kind;
    limit::CountsExpired by limit_does_not_count_expired_sessions;
    limit::CountsReplaced by limit_does_not_count_the_replaced_session;
    limit::EvictsForDuplicates by refused_duplicate_evicts_nobody;
    limit::EvictsOne by lowered_limit_evicts_several;
    limit::EvictsSilently by limit_evicts_the_oldest;
    limit::EvictsTheNewest by limit_evicts_the_oldest;
    limit::EvictsTheOldestAlways by limit_evicts_the_least_recently_seen;
    limit::EvictsTiesInReverse by limit_breaks_ties_by_creation_then_id;
    limit::IgnoresLimit by
        limit_refuses_where_the_policy_says_so,
        evicted_session_is_gone;
    limit::LeavesNoRoom by limit_with_room_left_ends_no_session;
    limit::TakesReplacedForRoom by limit_replacing_another_kind_makes_no_room;

    read::FetchesAtTheDeadline by session_is_live_until_its_absolute_deadline;
    read::FetchesExpired by
        session_is_live_until_its_absolute_deadline,
        session_is_live_until_its_idle_deadline;
    read::ForgetsIdleTimeout by
        session_is_live_until_its_idle_deadline,
        earlier_deadline_ends_the_session;
    read::ListsAtMostHundred by list_holds_many_sessions;
    read::ListsByPrefix by
        list_holds_exactly_this_user,
        users_and_ids_are_not_run_together,
        users_at_once_keep_their_own;
    read::ListsDeleted by delete_ends_the_session;
    read::ListsExpired by list_leaves_out_expired_sessions;
    read::ListsInAnyCase by
        list_holds_exactly_this_user,
        list_of_an_unknown_user_is_empty;
    read::ListsStale by
        touch_is_seen_by_the_next_read,
        list_agrees_with_fetch_after_every_operation;
    read::ListsUpToTheExpired by expired_session_hides_no_other;
    read::PagesByCreation by list_page_is_in_order_of_ids;
    read::PagesByLastUse by list_page_order_is_not_changed_by_use;
    read::PagesByPosition by list_pages_hold_what_stays_meanwhile;
    read::PagesHaveSignedLimits by list_page_takes_any_limit;
    read::PagesIgnoreKind by
        list_page_holds_one_kind,
        answers_are_those_of_the_reference;
    read::PagesLoseTheFirst by list_pages_hold_every_session_once;
    read::PagesNeedTheirCursor by list_page_begins_behind_its_cursor;
    read::PagesWrapAround by list_page_takes_any_cursor;
    read::WrapsAround by far_deadline_does_not_overflow;

    update::AnswersTheFormerRecord by update_returns_the_record_as_it_is_afterwards;
    update::ChangesTheOthersToo by update_leaves_other_sessions_alone;
    update::ChangesWhatItRefuses by meta_out_of_bounds_changes_nothing;
    update::ExtendsTheDeadline by touch_never_moves_the_absolute_deadline;
    update::ForgetsTouches by
        touch_is_seen_by_the_next_read,
        touch_moves_the_idle_deadline,
        dropped_touch_is_whole_or_nothing;
    update::IgnoresClient by update_keeps_what_it_does_not_name;
    update::ForgetsTheFormerSecret by former_secret_is_kept_until_another_one_is;
    update::ForgetsTheKind by update_of_any_kind_keeps_the_kind;
    update::IgnoresAuthentication by update_keeps_what_it_does_not_name;
    update::IgnoresOldMeta by meta_from_old_entries_is_not_set;
    update::IgnoresFormerSecret by renew_over_another_former_secret_changes_nothing;
    update::IgnoresStaleHash by
        renew_from_a_stale_hash_changes_nothing,
        renew_of_the_former_session_leaves_the_new_one_alone;
    update::Inserts by update_of_an_absent_session_makes_nothing;
    update::KeepsRemovedEntries by meta_entries_are_removed_by_name;
    update::MergesValues by meta_values_are_replaced_as_a_whole;
    update::MovesLastSeenBack by last_seen_never_moves_back;
    update::ReachesExpired by
        update_of_an_expired_session_changes_nothing,
        update_of_an_idle_session_changes_nothing,
        past_deadline_ends_the_session,
        refused_update_leaves_the_session_to_prune;
    update::ReadsThenUpserts by
        deleted_session_never_comes_back,
        session_of_a_deleted_user_never_comes_back,
        session_deleted_with_others_never_comes_back,
        session_deleted_with_all_never_comes_back,
        replaced_session_never_comes_back;
    update::ReadsThenWrites by
        changes_of_different_entries_all_survive,
        latest_of_touches_at_once_counts,
        one_of_renewals_at_once_is_made;
    update::RenewsTheDeadline by renew_swaps_the_hash_and_keeps_the_rest;
    update::ReplacesMeta by meta_entries_are_merged_by_name;
    update::Revives by
        update_after_delete_does_not_revive,
        update_after_delete_user_does_not_revive,
        update_after_delete_others_does_not_revive,
        update_after_delete_all_does_not_revive,
        update_after_replacement_does_not_revive,
        update_after_eviction_does_not_revive,
        update_after_prune_does_not_revive;
    update::StaleRenewalChangesTheRest by renew_from_a_stale_hash_changes_nothing;
    update::WritesOneByOne by
        update_is_never_seen_by_halves,
        dropped_update_is_whole_or_nothing,
        meta_may_reach_its_bounds;

    delete::ChecksThenDeletes by
        session_is_deleted_once,
        session_is_deleted_or_replaced;
    delete::CountsThenDeletes by delete_user_ends_what_was_made_before;
    delete::DeletesByPrefix by
        delete_user_deletes_exactly_this_user,
        delete_user_without_sessions_deletes_none;
    delete::DeletesLike by delete_user_takes_any_character;
    delete::DeletesLiveOnly by
        delete_reaches_expired_sessions,
        delete_user_reaches_expired_sessions;
    delete::DeletesOneByOne by
        delete_user_is_never_seen_by_halves,
        dropped_delete_user_is_whole_or_nothing;
    delete::DeletesOneKind by delete_of_any_kind_ends_the_session;
    delete::DeletesOnePage by delete_user_deletes_many_sessions;
    delete::DeletesPart by delete_user_deletes_all_sessions;
    delete::DeletesUserOfOneKind by delete_user_reaches_every_kind;
    delete::HidesThenDeletes by dropped_delete_is_whole_or_nothing;
    delete::IgnoresExcept by
        delete_user_keeps_the_excepted,
        answers_are_those_of_the_reference;
    delete::IgnoresOwner by delete_by_another_user_leaves_the_session_alone;
    delete::KeepsAllIfExcepting by delete_user_keeps_the_excepted;
    delete::KeepsTombstones by user_may_return_after_delete_user;
    delete::LeavesDeadlinesOfMany by delete_user_deletes_many_sessions;
    delete::RefusesOwners by delete_by_its_owner_ends_the_session;
    delete::SaysItDeleted by
        second_delete_deletes_nothing,
        delete_of_an_absent_session_deletes_nothing;
    delete::SubtractsExceptions by delete_user_takes_any_exceptions;

    delete_others::OthersAnswerTheFormerRecord by delete_others_keeps_and_changes_one;
    delete_others::OthersByPrefix by delete_others_deletes_exactly_this_user;
    delete_others::OthersChangeThenDelete by
        delete_others_is_never_seen_by_halves,
        dropped_delete_others_is_whole_or_nothing;
    delete_others::OthersCountTheKept by
        delete_others_keeps_and_changes_one,
        answers_are_those_of_the_reference;
    delete_others::OthersCountThenDelete by delete_others_ends_what_was_made_before;
    delete_others::OthersDeleteForeign by delete_others_of_foreign_session_deletes_all;
    delete_others::OthersDeleteThenChange by
        delete_others_is_never_seen_by_halves,
        dropped_delete_others_is_whole_or_nothing;
    delete_others::OthersDeleteThoughRefused by delete_others_with_invalid_meta_changes_nothing;
    delete_others::OthersFreezeTheKept by delete_others_kept_session_stays_usable;
    delete_others::OthersIgnoreTheChange by
        delete_others_keeps_and_changes_one,
        delete_others_makes_any_change;
    delete_others::OthersIgnoreWhatItWas by delete_others_of_changed_session_deletes_all;
    delete_others::OthersKeepExpired by delete_others_of_expired_session_deletes_all;
    delete_others::OthersKeepForeign by delete_others_of_foreign_session_deletes_all;
    delete_others::OthersKeepTheChangedAsItIs by
        delete_others_of_changed_session_deletes_all,
        delete_others_or_renewal_at_once_is_made;
    delete_others::OthersKeepTombstones by create_after_delete_others_reuses_ids;
    delete_others::OthersKeepUsersOnly by delete_others_reaches_every_kind;
    delete_others::OthersLeaveExpired by delete_others_reaches_expired_sessions;
    delete_others::OthersLeaveTheFormerDeadline by delete_others_kept_session_has_new_deadline;
    delete_others::OthersMoveLastSeenBack by delete_others_makes_any_change;
    delete_others::OthersOfOneKind by
        delete_others_reaches_every_kind,
        answers_are_those_of_the_reference;
    delete_others::OthersOfOnePage by delete_others_deletes_many_sessions;
    delete_others::OthersOvertakeThoughRefused by delete_others_with_invalid_meta_changes_nothing;
    delete_others::OthersReadThenWrite by
        delete_others_at_once_leave_no_session,
        delete_others_at_once_keeps_other_changes,
        delete_others_or_renewal_at_once_is_made;
    delete_others::OthersRemoveEntriesLast by delete_others_may_reach_bounds_of_meta;
    delete_others::OthersSpareAllIfAbsent by delete_others_of_absent_session_deletes_all;

    delete_all::AllCountsThenDeletes by delete_all_ends_what_was_made_before;
    delete_all::AllKeepsTombstones by create_after_delete_all_reuses_ids;
    delete_all::AllOfOneKind by
        delete_all_reaches_every_kind,
        answers_are_those_of_the_reference;
    delete_all::AllOfOnePage by delete_all_deletes_many_sessions;
    delete_all::AllOfPlainUsers by delete_all_deletes_sessions_of_every_user;
    delete_all::AllOfTheLive by delete_all_reaches_expired_sessions;
    delete_all::AllSaysAtLeastOne by delete_all_of_empty_store_deletes_none;
    delete_all::AllUserByUser by
        delete_all_is_never_seen_by_halves,
        dropped_delete_all_is_whole_or_nothing;

    overtaken::AllIsNotToldOf by delete_user_after_delete_all_tells_of_it;
    overtaken::AllOvertakesNothing by
        login_from_before_delete_all_is_refused,
        login_at_once_with_delete_all_leaves_none;
    overtaken::AllOvertakesUsersWithSessions by login_from_before_delete_all_is_refused;
    overtaken::AsksThenCreates by login_at_once_with_delete_user_leaves_no_session;
    overtaken::CountsDeletionsOnly by delete_user_of_nothing_overtakes_too;
    overtaken::CountsEveryDeletion by nothing_else_overtakes_a_login;
    overtaken::EndsTheReplacedFirst by overtaken_login_leaves_the_replaced_session_alive;
    overtaken::ForgetsTheOneBefore by delete_user_tells_of_the_one_before;
    overtaken::IgnoresBegun by
        login_from_before_delete_user_is_refused,
        login_at_once_with_delete_user_leaves_no_session;
    overtaken::NeverForgets by
        login_from_after_delete_user_is_made,
        login_from_after_delete_others_is_made,
        login_from_after_delete_all_is_made;
    overtaken::OthersForgetTheOneBefore by delete_others_tells_of_the_one_before;
    overtaken::OthersOvertakeIfDeleted by login_from_before_delete_others_is_refused;
    overtaken::OthersOvertakeNothing by
        login_from_before_delete_others_is_refused,
        login_at_once_with_delete_others_leaves_none;
    overtaken::OthersTellOfAnybody by delete_others_tells_of_the_one_before;
    overtaken::OvertakesEverybody by
        delete_user_overtakes_no_other_user,
        delete_others_overtakes_no_other_user;
    overtaken::OvertakesOneKind by delete_user_overtakes_logins_of_every_kind;
    overtaken::TellsOfOthers by delete_user_tells_of_the_one_before;
    overtaken::TakesAnyMoment by moment_of_another_opening_is_refused;

    prune::BoundsAreSigned by prune_takes_any_bound;
    prune::ForgetsMore by
        prune_stops_at_its_bound,
        prune_in_batches_comes_to_an_end;
    prune::GoesByTheFirstDeadline by
        prune_keeps_a_touched_session,
        prune_goes_by_the_present_deadline,
        earlier_deadline_is_respected,
        later_deadline_is_respected;
    prune::IgnoresBound by prune_stops_at_its_bound;
    prune::LeavesDeadlinesFiled by
        deleted_id_may_be_created_again,
        pruned_id_may_be_created_again;
    prune::NeverEnds by prune_in_batches_comes_to_an_end;
    prune::PrunesEarly by prune_deletes_from_the_deadline_on;
    prune::PrunesLate by prune_deletes_from_the_deadline_on;
    prune::PrunesMoreThanItSays by prune_stops_at_its_bound;
    prune::PrunesOneKind by prune_reaches_every_kind;
    prune::PrunesOneOfNone by prune_of_none_deletes_none;
    prune::PrunesTheLive by
        prune_deletes_exactly_the_expired,
        dropped_prune_is_harmless;
    prune::ScansThenDeletes by
        touched_session_survives_a_prune_at_once,
        record_is_pruned_once;
    prune::StopsAtTheTouched by prune_reaches_past_touched_sessions;

    clones::ClonesAreEmpty by clone_holds_the_same_records;
    clones::ClonesCountForThemselves by clone_overtakes_logins_of_the_original;
    clones::ClonesShareNoState by clone_returns_the_same_shared_state;

    watermark::DeletesByTheWatermark by watermark_ends_no_session;
    watermark::ForgetsTheTime by
        shared_state_is_one,
        watermark_is_one;
    watermark::HasTwoWatermarks by watermark_is_that_of_shared_state;
    watermark::JudgesByTheWatermark by watermark_ends_no_session;
    watermark::LearnsFromDeletions by operations_leave_the_watermark_alone;
    watermark::LearnsFromPrunes by operations_leave_the_watermark_alone;
    watermark::LearnsFromReads by operations_leave_the_watermark_alone;
    watermark::PrunesByTheWatermark by watermark_ends_no_session;

    futures::ActsUnpolled by unpolled_operations_do_nothing;
    futures::AllActsUnpolled by unpolled_operations_do_nothing;
    futures::AllNeedsARuntime by operations_run_outside_a_runtime;
    futures::KeepsThePlaceOfTheDropped by dropped_reads_change_nothing;
    futures::NeedsARuntime by operations_run_outside_a_runtime;
    futures::OthersActUnpolled by unpolled_operations_do_nothing;
    futures::OthersNeedARuntime by operations_run_outside_a_runtime;
    futures::StaysOnItsThread by operations_may_change_threads;
}
