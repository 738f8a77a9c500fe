//! The mesh: how shards reach each other. One inbox per shard, four bounded lock-free
//! lanes by priority, wake-ups coalesced (`lanes`, checked by loom).

use crate::lanes;
use crate::limits;
use crate::transport::Accepted;

/// What a shard can be sent.
pub enum Mail {
    /// A connection dealt to it.
    Connection(Accepted),
    /// Stop accepting, finish what is in flight, flush, close.
    Drain,
}

/// Sends to every shard of the process.
#[derive(Clone)]
pub struct Mesh {
    inboxes: Vec<lanes::Sender<Mail>>,
}

pub type Inbox = lanes::Receiver<Mail>;

impl Mesh {
    /// The mesh of `shards` shards, and the inbox of each.
    pub fn new(shards: usize) -> (Self, Vec<Inbox>) {
        let (inboxes, receivers) = (0..shards)
            .map(|_| lanes::channel(limits::INBOX_LANE_MESSAGES_MAX))
            .unzip();
        (Self { inboxes }, receivers)
    }

    pub fn shards(&self) -> usize {
        self.inboxes.len()
    }

    /// Puts mail into a lane of a shard's inbox; gives it back when the lane is full.
    pub fn send(&self, shard: usize, priority: u8, mail: Mail) -> Result<(), Mail> {
        self.inboxes[shard].try_send(priority, mail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mail_reaches_the_shard_it_was_sent_to() {
        let (mesh, mut inboxes) = Mesh::new(2);
        assert!(mesh.send(1, 3, Mail::Drain).is_ok());
        assert!(inboxes[0].try_recv().is_none());
        assert!(matches!(inboxes[1].try_recv(), Some(Mail::Drain)));
    }

    #[test]
    fn a_full_lane_gives_the_mail_back() {
        let (mesh, _inboxes) = Mesh::new(1);
        let sent = (0..=limits::INBOX_LANE_MESSAGES_MAX)
            .filter(|_| mesh.send(0, 0, Mail::Drain).is_ok())
            .count();
        assert_eq!(sent, limits::INBOX_LANE_MESSAGES_MAX);
    }
}
