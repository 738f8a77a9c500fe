//! A hop between two threads: alone there and back, and in batches of 64.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use opencore::lanes::{Received, channel};

fn hop(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lanes");
    for in_flight in [1u64, 64] {
        let (there, mut there_end) = channel::<u64>(256);
        let (back, mut back_end) = channel::<u64>(256);
        let echo = std::thread::spawn(move || {
            while let Received::Value(value) = there_end.recv_blocking(None) {
                back.try_send(1, value).expect("there is room");
            }
        });
        group.throughput(Throughput::Elements(in_flight));
        group.bench_function(
            format!("there and back, {in_flight} in flight"),
            |bencher| {
                bencher.iter(|| {
                    for value in 0..in_flight {
                        there.try_send(1, value).expect("there is room");
                    }
                    for _ in 0..in_flight {
                        black_box(back_end.recv_blocking(None));
                    }
                })
            },
        );
        drop(there);
        echo.join().expect("the echo thread ended");
    }
    let (sender, mut receiver) = channel::<u64>(256);
    group.throughput(Throughput::Elements(1));
    group.bench_function("send and receive, same thread", |bencher| {
        bencher.iter(|| {
            sender.try_send(1, black_box(1)).expect("there is room");
            receiver.try_recv()
        })
    });
    group.finish();
}

criterion_group!(benches, hop);
criterion_main!(benches);
