//! Whole nodes in virtual time: nothing acknowledged is lost, and a seed is one run.

#[path = "nodes/bonds.rs"]
mod bonds;
#[path = "nodes/editions.rs"]
mod editions;
#[path = "nodes/ground.rs"]
mod ground;
#[path = "nodes/pressure.rs"]
mod pressure;
#[path = "nodes/queues.rs"]
mod queues;
#[path = "nodes/talk.rs"]
mod talk;
#[path = "nodes/topics.rs"]
mod topics;

use synod::Node;
use synod::protocols::sim::FaultKind;
use synod::sim::simulate;
use synod::sim::study::{Options, Studied, study};

fn sound(seed: u64) -> Studied {
    let studied = study(seed, &Options::default());
    assert_eq!(studied.failure, None, "{studied}");
    studied
}

#[test]
fn nothing_acknowledged_is_lost_under_faults() {
    let mut faults = synod::protocols::sim::Tally::default();
    let mut ok = 0;
    for seed in 0..6 {
        let studied = sound(seed);
        faults.merge(&studied.faults);
        ok += studied.ok;
    }
    assert!(ok > 1_000, "only {ok} requests took effect");
    for kind in
        [FaultKind::Crash, FaultKind::Pause, FaultKind::Partition, FaultKind::OneWayCut, FaultKind::Loss]
    {
        assert!(faults.count(kind).injected > 0, "{kind} never struck");
    }
}

#[test]
fn the_same_seed_is_the_same_run_and_another_is_not() {
    let (first, again, other) = (sound(100), sound(100), sound(101));
    assert_eq!(first, again);
    assert_ne!(first.events.hash, other.events.hash);
    assert_ne!(first.packets.hash, other.packets.hash);
}

#[test]
fn a_process_that_starts_again_is_a_later_one() {
    for seed in 0..8 {
        simulate(seed, &["a"], |simulation| async move {
            let a = &simulation.names()[0];
            let start =
                || async { Node::builder("test", "a").env(simulation.boot(a)).start().await.unwrap() };
            let earlier = start().await.system().incarnation();
            assert!(simulation.kill(a));
            // Its peers would refuse an earlier one for ever.
            assert!(start().await.system().incarnation() > earlier, "seed {seed}");
        });
    }
}
