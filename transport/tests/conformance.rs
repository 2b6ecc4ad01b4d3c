//! One suite for both implementations of the transport, and for QUIC on a network in memory: what users may rely on, whatever
//! carries the bytes.

#[path = "conformance/grounds.rs"]
mod grounds;
#[path = "conformance/recorder.rs"]
mod recorder;
#[path = "conformance/suite.rs"]
mod suite;

/// Every rule of the suite as a test of one implementation.
macro_rules! held_to {
    ($module:ident, $ground:expr, $($rule:ident),* $(,)?) => {
        mod $module {
            use super::{grounds, suite};
            $(
                #[test]
                fn $rule() {
                    grounds::run($ground, |ground| async move { suite::$rule(&ground).await });
                }
            )*
        }
    };
}

macro_rules! suite {
    ($($rule:ident),* $(,)?) => {
        held_to!(memory, grounds::memory(), $($rule),*);
        held_to!(quic, grounds::quic(), $($rule),*);
        held_to!(simulated, grounds::simulated(), $($rule),*);
    };
}

suite!(
    lanes_keep_order_and_lose_nothing,
    frames_share_reads,
    a_full_lane_says_so_and_recovers,
    a_frame_too_large_is_refused_at_the_sender,
    bulk_arrives_whole_while_frames_flow,
    a_bulk_stream_given_up_is_no_whole,
    datagrams_arrive_and_are_bounded,
    two_that_dial_each_other_share_one_link,
    the_end_is_told_once_and_last,
    closing_lets_queued_frames_out,
    a_closed_link_takes_nothing,
    the_reason_is_heard_on_a_busy_link_too,
    a_restarted_peer_is_a_later_incarnation,
    the_later_of_two_namesakes_wins_and_the_other_is_told,
    a_dead_peer_is_noticed_and_found_again,
    forgetting_ends_the_link_and_the_dialling,
    a_silent_address_is_told_within_the_connect_timeout,
    another_name_another_cluster_and_oneself_are_refused,
    clients_connect_and_are_not_dialled,
    an_address_in_use_is_a_typed_error,
);
