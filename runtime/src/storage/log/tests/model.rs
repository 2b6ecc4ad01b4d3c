//! Random writes, crashes and restarts against a plain map.
//!
//! What is found must be what the issued writes, taken one by one, made of it at some moment not before the last acknowledged one.

use std::collections::BTreeMap;

use synod_protocols::prng::Prng;

use super::*;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Machine {
    cells: BTreeMap<u64, Bytes>,
    compacted: u64,
    entries: BTreeMap<u64, Bytes>,
}

type World = BTreeMap<MachineId, Machine>;

fn apply(world: &mut World, machine: MachineId, write: &Write) {
    let state = world.entry(machine).or_default();
    match write {
        Write::Entry { index, body } => {
            state.entries.split_off(&index.0);
            state.entries.insert(index.0, body.clone());
        }
        Write::Cell { key, body } => drop(state.cells.insert(*key, body.clone())),
        Write::Truncate { from } => drop(state.entries.split_off(&from.0)),
        Write::Compact { upto } => {
            state.entries.retain(|&index, _| index > upto.0);
            state.compacted = state.compacted.max(upto.0);
        }
        Write::Forget => *state = Machine::default(),
    }
}

fn last(state: &Machine) -> u64 {
    state.entries.last_key_value().map_or(state.compacted, |(&index, _)| index)
}

fn random(prng: &mut Prng, state: &Machine, stamp: u64) -> Write {
    let size = if prng.chance(0.05) { prng.below(2500) } else { prng.below(200) };
    let mut body = stamp.to_le_bytes().to_vec();
    body.resize(8 + size as usize, stamp as u8);
    let body = Bytes::from(body);
    match prng.below(100) {
        0..60 => Write::Entry { index: LogIndex(last(state) + 1), body },
        60..66 if last(state) > state.compacted => {
            Write::Entry { index: LogIndex(prng.between(state.compacted + 1, last(state))), body }
        }
        66..70 => Write::Truncate { from: LogIndex(prng.between(state.compacted, last(state) + 1)) },
        70..80 => Write::Compact { upto: LogIndex(prng.between(state.compacted, last(state))) },
        80 => Write::Compact { upto: LogIndex(last(state) + prng.below(5)) },
        81 => Write::Forget,
        _ => Write::Cell { key: prng.below(4), body },
    }
}

fn found(node: &Node) -> World {
    let mut world = World::new();
    for machine in node.log.recoverable() {
        let log = node.found(machine);
        let state = Machine {
            cells: log.cells.into_iter().collect(),
            compacted: log.compacted.0,
            entries: log.entries.into_iter().map(|(index, body)| (index.0, body)).collect(),
        };
        world.insert(machine, state);
    }
    world
}

fn without_empty(world: &World) -> World {
    let present = world.iter().filter(|(_, state)| **state != Machine::default());
    present.map(|(&id, state)| (id, state.clone())).collect()
}

/// One life of a process: random batches, the worker in between, the disk stopping at some point. Gives what was issued, and
/// how much of it was acknowledged.
fn live(node: &Node, prng: &mut Prng, mut world: World, stamp: &mut u64) -> (Vec<(MachineId, Write)>, usize) {
    let mut issued = Vec::new();
    let acknowledged = Arc::new(Mutex::new(0));
    if prng.chance(0.7) {
        node.disk.stop_after(prng.below(150));
    }
    for _ in 0..prng.below(60) {
        let machine = MachineId(prng.between(1, 3));
        let mut writes = Vec::new();
        for _ in 0..prng.between(1, 4) {
            *stamp += 1;
            let write = random(prng, world.entry(machine).or_default(), *stamp);
            apply(&mut world, machine, &write);
            issued.push((machine, write.clone()));
            writes.push(write);
        }
        let (upto, place) = (issued.len(), Arc::clone(&acknowledged));
        node.log.write(vec![(machine, writes)], move |outcome| match outcome {
            Ok(()) => *place.lock().unwrap() = upto,
            Err(fault) => assert_eq!(fault, WriteFault::Failed),
        });
        for _ in 0..prng.below(4) {
            node.worker.step();
        }
    }
    let acknowledged = *acknowledged.lock().unwrap();
    (issued, acknowledged)
}

fn run(seed: u64) -> (u64, u64) {
    let mut prng = Prng::new(seed);
    let mut disk = SimDisk::default();
    let mut world = World::new();
    let mut stamp = 0;
    let (mut torn, mut reclaimed) = (0, 0);
    for _ in 0..12 {
        let node = opened(&disk);
        assert_eq!(without_empty(&found(&node)), without_empty(&world), "seed {seed}: what was found before");
        let (issued, acknowledged) = live(&node, &mut prng, world.clone(), &mut stamp);
        reclaimed += node.metric("synod_log_segments_reclaimed_total");
        disk = if prng.chance(0.25) { node.disk.restart() } else { node.disk.crash(prng.next_u64()) };

        let next = opened(&disk);
        torn += next.report.torn_bytes;
        let recovered = without_empty(&found(&next));
        let mut moment = world.clone();
        let mut matched = (acknowledged == 0 && without_empty(&moment) == recovered).then(|| moment.clone());
        for (count, (machine, write)) in issued.iter().enumerate() {
            apply(&mut moment, *machine, write);
            if count + 1 >= acknowledged && without_empty(&moment) == recovered {
                matched = Some(moment.clone());
                break;
            }
        }
        world = matched.unwrap_or_else(|| {
            panic!(
                "seed {seed}: of {} writes, {acknowledged} acknowledged, no prefix is what was found",
                issued.len()
            )
        });
        disk = disk.restart();
    }
    (torn, reclaimed)
}

#[test]
fn what_is_found_is_a_prefix_with_everything_acknowledged() {
    let (mut torn, mut reclaimed) = (0, 0);
    for seed in 0..150 {
        let (cut, removed) = run(seed);
        torn += cut;
        reclaimed += removed;
    }
    assert!(
        torn > 0 && reclaimed > 0,
        "the faults were there: {torn} bytes torn, {reclaimed} segments reclaimed"
    );
}
