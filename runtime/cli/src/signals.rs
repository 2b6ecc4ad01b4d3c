//! How the operating system asks a process to stop: Ctrl-C, a termination, a terminal that is gone; and a node to renew its identity.

use std::io;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::failure::Failure;

/// The signals that ask for an end in order, caught from the moment this exists.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    /// Catches them.
    ///
    /// # Errors
    /// As the operating system says; then they are not caught.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// The name of the next one.
    pub(crate) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.hangup.recv() => "SIGHUP",
        }
    }
}

/// The signal that asks a node to read its certificate, key and authorities again (SIGUSR1), caught from the moment this exists.
///
/// # Errors
/// As the operating system says; then it is not caught.
pub(crate) fn renewals() -> io::Result<Signal> {
    signal(SignalKind::user_defined1())
}

/// Hears of signals on a thread of its own, so that a command can wait for them and for time.
///
/// # Errors
/// As the operating system says.
pub(crate) fn stop_requests() -> Result<Receiver<&'static str>, Failure> {
    let failed = |error| Failure::new(format!("cannot catch signals: {error}"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
    let mut signals = runtime.block_on(async { Signals::catch() }).map_err(failed)?;
    let (sender, receiver) = mpsc::channel();
    let listen = move || {
        runtime.block_on(async { while sender.send(signals.next().await).is_ok() {} });
    };
    thread::Builder::new().name("signals".to_owned()).spawn(listen).map_err(failed)?;
    Ok(receiver)
}
