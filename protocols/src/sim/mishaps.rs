//! What befalls processes and their disks in a run: deaths, pauses, slow, full and failing disks.
//!
//! Draws only; `inject.rs` and the disks carry it out.

use std::time::Duration;

use crate::sim::disk::DiskConfig;
use crate::sim::draw::Draw;
use crate::sim::fault::Fault;
use crate::types::{NodeId, Timestamp};

impl Draw {
    /// Disks between a fast and a very slow one. A crash loses something of what was not synced nearly always in half of the
    /// seeds, and as often as chance will in the others.
    pub(super) fn disk(&mut self) -> DiskConfig {
        let sync_max = Duration::from_micros(50 << self.chance.below(14));
        let thorough = self.coin();
        let share = |draw: &mut Self| {
            let unit = draw.chance.unit();
            if thorough { 0.8 + unit / 5.0 } else { unit }
        };
        let (lose, tear) = (share(self), share(self));
        DiskConfig {
            sync_min: sync_max / 10,
            sync_max,
            stall: self.rate(0.01),
            stall_max: self.span(10, 1_000),
            lose,
            tear,
            ..DiskConfig::calm()
        }
    }

    /// Deaths and pauses.
    pub(super) fn crashes(&mut self) {
        for (at, span) in self.times(2_500) {
            let node = self.node();
            self.pass(at, span, Fault::Crash(node), Fault::Restart(node));
        }
        for (at, span) in self.times(2_500) {
            let node = self.node();
            self.plan(at, Fault::CrashInWrite(node, span));
        }
        for (at, _) in self.times(20_000) {
            self.plan(at, Fault::PowerCut);
            for node in 1..=self.nodes {
                let down = self.span(1, 1_500);
                self.plan(at.after(down), Fault::Restart(NodeId(node)));
            }
        }
        for (at, span) in self.times(3_000) {
            let node = self.node();
            self.plan(at, Fault::Pause(node, span));
        }
    }

    /// Disks that are slow, stand still, fail, or have no room.
    pub(super) fn disk_faults(&mut self) {
        if !self.omits() {
            let (node, factor) = (self.node(), 2 << self.chance.below(5));
            self.plan(Timestamp::ZERO, Fault::SlowDisk(node, factor));
        }
        for (at, span) in self.times(4_000) {
            let node = self.node();
            self.plan(at, Fault::Stall(node, span / 2));
        }
        for (at, span) in self.times(10_000) {
            let node = self.node();
            self.plan(at, Fault::FailWrite(node));
            self.pass(at.after(span), span, Fault::Crash(node), Fault::Restart(node));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::FillDisk(node, span * 2));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::FailSnapshots(node, span * 4));
        }
        for (at, span) in self.times(12_000) {
            let (node, noticed) = (self.node(), self.coin());
            self.plan(at, Fault::LoseDisk(node, span, noticed));
        }
        for (at, span) in self.times(8_000) {
            let node = self.node();
            self.plan(at, Fault::BadReads(node, span * 2));
        }
    }
}
