//! SIGTERM and SIGINT, told to the main thread.

use std::sync::mpsc::Sender;
use std::thread;

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::serve::Event;
use crate::error::{Error, Result};

/// Sends [`Event::Signal`] for each signal, for the life of the process.
pub fn forward(events: Sender<Event>) -> Result<()> {
    let refused =
        |error: std::io::Error| Error::internal("signals cannot be watched").because(error);
    let mut signals = Signals::new([SIGTERM, SIGINT]).map_err(refused)?;
    let forwarding = move || {
        for signal in signals.forever() {
            if events.send(Event::Signal(signal)).is_err() {
                return;
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(forwarding)
        .map_err(refused)?;
    Ok(())
}
