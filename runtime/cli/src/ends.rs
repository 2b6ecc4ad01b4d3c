//! What ends a node's process in order: a signal, or the end of standard input when somebody holds it for that purpose.

use std::io::{self, Read};
use std::thread;

use tokio::sync::oneshot;

use crate::signals::Signals;

/// The ends that are listened for.
pub(crate) struct Ends {
    signals: Signals,
    holder: Option<oneshot::Receiver<()>>,
}

/// Whether the process ends when its standard input does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Input {
    /// Standard input means nothing.
    Ignored,
    /// Whoever holds the other end keeps the process alive.
    Held,
}

impl Ends {
    /// Listens from here on.
    ///
    /// # Errors
    /// As the operating system says.
    pub(crate) fn listen(input: Input) -> io::Result<Self> {
        let signals = Signals::catch()?;
        let holder = match input {
            Input::Ignored => None,
            Input::Held => Some(watch_input()?),
        };
        Ok(Self { signals, holder })
    }

    /// Waits for the next end and says what it was.
    pub(crate) async fn next(&mut self) -> &'static str {
        let Some(holder) = &mut self.holder else { return self.signals.next().await };
        tokio::select! {
            signal = self.signals.next() => signal,
            _ = holder => {
                self.holder = None;
                "the end of standard input"
            }
        }
    }
}

fn watch_input() -> io::Result<oneshot::Receiver<()>> {
    let (sender, receiver) = oneshot::channel();
    // Reading standard input blocks and cannot be given up, so it has a thread that nobody waits for.
    thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        let mut rest = [0; 64];
        let mut input = io::stdin().lock();
        while input.read(&mut rest).is_ok_and(|size| size > 0) {}
        // An error means that the process ends already.
        let _ = sender.send(());
    })?;
    Ok(receiver)
}
