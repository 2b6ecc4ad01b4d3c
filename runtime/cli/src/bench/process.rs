//! What this process has taken of the machine, as the kernel tells in `/proc`.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::failure::Failure;

/// Memory held and processor time taken, by all threads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Usage {
    pub(crate) resident_bytes: f64,
    pub(crate) processor: Duration,
}

/// The kernel counts processor time in hundredths of a second for everybody who reads it.
const TICK: Duration = Duration::from_millis(10);

impl Usage {
    /// Up to this moment.
    ///
    /// # Errors
    /// Where there is no such `/proc`.
    pub(crate) fn now() -> Result<Self, Failure> {
        let read =
            |path: &Path| fs::read_to_string(path).map_err(|error| Failure::at(path, "read it", error));
        let (status, stat) = (Path::new("/proc/self/status"), Path::new("/proc/self/stat"));
        let strange = |path| Failure::new(format!("{} has another form than expected", Path::display(path)));
        let resident_bytes = resident(&read(status)?).ok_or_else(|| strange(status))?;
        let ticks = ticks(&read(stat)?).ok_or_else(|| strange(stat))?;
        Ok(Self { resident_bytes, processor: TICK * ticks })
    }
}

fn resident(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024.0)
}

/// User and system time: the 14th and 15th field, counted from behind the program's name, which may hold anything.
fn ticks(stat: &str) -> Option<u32> {
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u32>().ok();
    Some(next()? + next()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_words_are_understood() {
        assert_eq!(resident("Name: x\n"), None);
        assert_eq!(resident("Name: x\nVmRSS:     2048 kB\nThreads: 1\n"), Some(2.0 * 1024.0 * 1024.0));
        let stat = "7 (a) b) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 5 0 100 1 1";
        assert_eq!(ticks(stat), Some(300));
        let before = Usage::now().unwrap();
        assert!(before.resident_bytes > 0.0);
    }
}
