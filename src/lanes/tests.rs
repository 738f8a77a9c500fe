use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use proptest::prelude::*;

use super::{PRIORITY_LANES, Received, Weighted, channel};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_batch_costs_one_wake() {
    let (sender, mut receiver) = channel::<u32>(64);
    let count = Arc::new(Count::default());
    let waker = Waker::from(count.clone());
    let mut context = Context::from_waker(&waker);
    assert_eq!(receiver.poll_recv(&mut context), Poll::Pending);
    for value in 0..50 {
        sender.try_send(1, value).unwrap();
    }
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    for value in 0..50 {
        assert_eq!(receiver.poll_recv(&mut context), Poll::Ready(Some(value)));
    }
    assert_eq!(receiver.poll_recv(&mut context), Poll::Pending);
    sender.try_send(0, 50).unwrap();
    assert_eq!(count.0.load(Ordering::SeqCst), 2);
}

#[test]
fn a_full_lane_gives_the_value_back_and_others_still_take() {
    let (sender, mut receiver) = channel::<u32>(2);
    sender.try_send(0, 1).unwrap();
    sender.try_send(0, 2).unwrap();
    assert_eq!(sender.try_send(0, 3), Err(3));
    sender.try_send(3, 4).unwrap();
    assert_eq!(receiver.try_recv(), Some(4));
    assert_eq!(receiver.try_recv(), Some(1));
    drop(receiver);
    assert_eq!(sender.try_send(3, 5), Err(5));
}

#[test]
fn what_was_sent_before_the_last_sender_left_is_received() {
    let (sender, mut receiver) = channel::<u32>(8);
    let other = sender.clone();
    sender.try_send(0, 1).unwrap();
    drop(sender);
    other.try_send(9, 2).unwrap();
    drop(other);
    assert_eq!(receiver.recv_blocking(None), Received::Value(2));
    assert_eq!(receiver.recv_blocking(None), Received::Value(1));
    assert_eq!(receiver.recv_blocking(None), Received::Closed);
}

#[test]
fn a_thread_waits_is_woken_and_times_out() {
    let (sender, mut receiver) = channel::<usize>(16);
    assert_eq!(
        receiver.recv_blocking(Some(Duration::from_millis(1))),
        Received::Nothing
    );
    // Miri takes a hundred times as long for each.
    let each = if cfg!(miri) { 40 } else { 2_000 };
    let threads: Vec<_> = (0..3)
        .map(|thread| {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for value in 0..each {
                    let mut item = thread * each + value;
                    while let Err(back) = sender.try_send(thread as u8, item) {
                        item = back;
                        std::thread::yield_now();
                    }
                }
            })
        })
        .collect();
    drop(sender);
    let mut next = [0, each, 2 * each];
    loop {
        match receiver.recv_blocking(None) {
            Received::Value(value) => {
                let lane = value / each;
                assert_eq!(value, next[lane], "order inside a lane");
                next[lane] += 1;
            }
            Received::Closed => break,
            Received::Nothing => panic!("there was no timeout"),
        }
    }
    assert_eq!(next, [each, 2 * each, 3 * each]);
    threads
        .into_iter()
        .for_each(|thread| thread.join().unwrap());
}

#[test]
fn a_batch_is_bounded_and_favours_high_priority() {
    let (sender, mut receiver) = channel::<(u8, u32)>(64);
    for value in 0..30 {
        for priority in 0..4 {
            sender.try_send(priority, (priority, value)).unwrap();
        }
    }
    let mut batch = Vec::new();
    let taken = futures_util::FutureExt::now_or_never(receiver.recv_batch(&mut batch, 15));
    assert_eq!(taken, Some(15));
    let of = |lane: u8| {
        batch
            .iter()
            .filter(|(priority, _)| *priority == lane)
            .count()
    };
    assert_eq!([of(0), of(1), of(2), of(3)], [1, 2, 4, 8]);
}

proptest! {
    #[test]
    fn no_occupied_lane_starves(turns in prop::collection::vec(any::<[bool; PRIORITY_LANES]>(), 1..400), lane in 0..PRIORITY_LANES) {
        let mut weighted = Weighted::new();
        let mut waited = 0;
        for mut occupied in turns {
            occupied[lane] = true;
            let picked = weighted.pick(occupied);
            prop_assert!(picked.is_some_and(|picked| occupied[picked]));
            waited = if picked == Some(lane) { 0 } else { waited + 1 };
            prop_assert!(waited <= Weighted::WAIT_PICKS_MAX);
        }
    }

    #[test]
    fn a_fresh_high_priority_is_next_after_a_flood_of_low(flood in 1usize..200) {
        let mut weighted = Weighted::new();
        for _ in 0..flood {
            prop_assert_eq!(weighted.pick([true, false, false, false]), Some(0));
        }
        prop_assert_eq!(weighted.pick([true, false, false, true]), Some(3));
    }

    #[test]
    fn nothing_occupied_picks_nothing(picks in 0usize..40) {
        let mut weighted = Weighted::new();
        for _ in 0..picks {
            weighted.pick([true; PRIORITY_LANES]);
        }
        prop_assert_eq!(weighted.pick([false; PRIORITY_LANES]), None);
    }
}
