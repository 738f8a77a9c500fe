//! A hop over the bridge: from a shard's thread to a tokio runtime on a thread of its own, and back.
//!
//! What a foreign driver, which wants tokio, costs a request beyond its own work: alone, when
//! both sides sleep between the hops, and with 64 in flight, when a wake-up serves many.

use std::hint::black_box;
use std::thread::JoinHandle;
use std::time::Instant;

use compio::runtime::Runtime;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opencore::lanes::{Receiver, Sender, channel};

const LANE_CAPACITY: usize = 256;
const PRIORITY: u8 = 1;

/// The far side: takes requests in batches and answers each, until the shard is gone.
fn spawn_far_side(mut requests: Receiver<u64>, replies: Sender<u64>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        runtime.expect("a tokio runtime").block_on(async {
            let mut batch = Vec::with_capacity(LANE_CAPACITY);
            while requests.recv_batch(&mut batch, LANE_CAPACITY).await > 0 {
                for request in batch.drain(..) {
                    replies.try_queue(PRIORITY, request).expect("there is room");
                }
                replies.wake();
            }
        });
    })
}

/// The shard's side: a round of hops, one wake-up for those that leave together.
async fn cross(in_flight: u64, requests: &Sender<u64>, replies: &mut Receiver<u64>) {
    for request in 0..in_flight {
        let sent = requests.try_queue(PRIORITY, black_box(request));
        sent.expect("there is room");
    }
    requests.wake();
    for request in 0..in_flight {
        assert_eq!(replies.recv().await, Some(request));
    }
}

fn bridge(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("bridge");
    let shard = Runtime::new().expect("a compio runtime");
    for in_flight in [1, 64] {
        let (requests, far_requests) = channel(LANE_CAPACITY);
        let (far_replies, mut replies) = channel(LANE_CAPACITY);
        let far_side = spawn_far_side(far_requests, far_replies);
        group.throughput(Throughput::Elements(in_flight));
        group.bench_function(
            format!("there and back, {in_flight} in flight"),
            |bencher| {
                bencher.iter_custom(|rounds| {
                    shard.block_on(async {
                        let started = Instant::now();
                        for _ in 0..rounds {
                            cross(in_flight, &requests, &mut replies).await;
                        }
                        started.elapsed()
                    })
                })
            },
        );
        drop(requests);
        far_side.join().expect("the far side ended");
    }
    group.finish();
}

criterion_group!(benches, bridge);
criterion_main!(benches);
