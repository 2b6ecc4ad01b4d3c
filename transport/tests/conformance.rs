//! One suite for both implementations of the transport, and for QUIC on a network in memory: what users may rely on, whatever
//! carries the bytes.

#[path = "conformance/recorder/breaks.rs"]
mod breaks;
#[path = "conformance/recorder/ends.rs"]
mod ends;
#[path = "conformance/grounds.rs"]
mod grounds;
#[path = "conformance/proxy.rs"]
mod proxy;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/recorder/refusals.rs"]
mod refusals;
#[path = "conformance/recorder/resumptions.rs"]
mod resumptions;
#[path = "conformance/recorder/returns.rs"]
mod returns;
#[path = "conformance/sessions.rs"]
mod sessions;
#[path = "conformance/suite.rs"]
mod suite;
#[path = "conformance/recorder/untouched.rs"]
mod untouched;

/// Every rule of the suite as a test of one implementation.
macro_rules! held_to {
    ($module:ident, $ground:expr, $($room:ident::$rule:ident),* $(,)?) => {
        mod $module {
            use super::{grounds, sessions, suite};
            $(
                #[test]
                fn $rule() {
                    grounds::run($ground, |ground| async move { $room::$rule(&ground).await });
                }
            )*
        }
    };
}

macro_rules! suite {
    ($($room:ident::$rule:ident),* $(,)?) => {
        held_to!(memory, grounds::memory(), $($room::$rule),*);
        held_to!(quic, grounds::quic(), $($room::$rule),*);
        held_to!(quic_on_a_shared_thread, grounds::quic_on_a_shared_thread(), $($room::$rule),*);
        held_to!(simulated, grounds::simulated(), $($room::$rule),*);
    };
}

suite!(
    suite::lanes_keep_order_and_lose_nothing,
    suite::frames_share_reads,
    suite::a_full_lane_says_so_and_recovers,
    suite::a_frame_too_large_is_refused_at_the_sender,
    suite::bulk_arrives_whole_while_frames_flow,
    suite::a_bulk_stream_given_up_is_no_whole,
    suite::bulk_streams_that_nobody_reads_take_nothing_from_the_lanes,
    suite::datagrams_arrive_and_are_bounded,
    suite::two_that_dial_each_other_share_one_link,
    suite::the_end_is_told_once_and_last,
    suite::closing_lets_queued_frames_out,
    suite::a_closed_link_takes_nothing,
    suite::the_reason_is_heard_on_a_busy_link_too,
    suite::a_restarted_peer_is_a_later_incarnation,
    suite::the_later_of_two_namesakes_wins_and_the_other_is_told,
    suite::a_dead_peer_is_noticed_and_found_again,
    suite::forgetting_ends_the_link_and_the_dialling,
    suite::a_silent_address_is_told_within_the_connect_timeout,
    suite::another_name_another_cluster_and_oneself_are_refused,
    suite::clients_connect_and_are_not_dialled,
    suite::an_address_in_use_is_a_typed_error,
    sessions::a_break_loses_and_repeats_nothing,
    sessions::what_a_peer_that_stays_away_did_not_acknowledge_comes_back_once,
    sessions::a_restarted_peer_hears_nothing_that_was_for_the_one_before,
    sessions::the_fleeting_lane_ends_with_its_connection,
    sessions::a_link_that_is_closed_gives_back_what_was_not_received,
);
