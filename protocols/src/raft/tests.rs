//! Raft machines driven by hand: each test is named after what goes wrong without the rule it checks.

mod catch_up;
mod chaos;
mod elections;
mod flow;
mod harness;
mod hibernation;
mod hostile;
mod leases;
mod logs;
mod partitions;
mod reads;
mod snapshots;
mod storage;
mod terms;
