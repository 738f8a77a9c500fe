use super::*;

struct Bench {
    work: Work,
    out: Outbound,
    tally: Rc<Tally>,
}

/// Stands for any door with a plain length prefix.
const PLAIN: crate::admin::link::Target = crate::admin::link::Target::Tcp {
    authority: String::new(),
};

fn bench(in_flight: usize, expect: Expect) -> Bench {
    let tally = Rc::new(Tally::default());
    tally.open(u64::MAX);
    let requests = Rc::new(Requests::ping(String::from("/a")));
    Bench {
        work: Work::new(requests, in_flight, expect, tally.clone()),
        out: Outbound::starting_at(&PLAIN, 0),
        tally,
    }
}

impl Bench {
    /// Envelopes sent since the last call.
    fn sent(&mut self) -> Vec<Bytes> {
        let mut bytes = Bytes::from(self.out.take(Vec::new()));
        let mut frames = Vec::new();
        while bytes.len() >= 4 {
            let len = bytes.split_to(4);
            let len = u32::from_le_bytes([len[0], len[1], len[2], len[3]]);
            frames.push(bytes.split_to(len as usize));
        }
        frames
    }

    fn answer(&mut self, command: &str, rid: &str) {
        let mut reply = Outbound::starting_at(&PLAIN, 0);
        reply.send(command, "r", rid, "GetElementResponse", &[]);
        let frame = Bytes::from(reply.take(Vec::new()).split_off(4));
        self.work.batch();
        self.work.frame(frame, &mut self.out).unwrap();
    }
}

fn id(frame: &Bytes) -> String {
    Head::scan(frame).unwrap().id.to_string()
}

#[test]
fn a_closed_loop_keeps_its_requests_in_flight() {
    let mut bench = bench(3, Expect::Reply);
    bench.work.fill(&mut bench.out);
    let sent = bench.sent();
    assert_eq!(sent.len(), 3);
    bench.answer("getelement", &id(&sent[1]));
    assert_eq!(bench.sent().len(), 1, "each reply allows one more");
    assert_eq!((bench.tally.messages(), bench.work.owed()), (1, 3));
    bench.tally.stop();
    bench.answer("getelement", &id(&sent[0]));
    assert_eq!(bench.sent().len(), 0);
    assert_eq!(bench.work.owed(), 2, "what is missing at the end is known");
}

#[test]
fn wrong_doubled_and_unknown_replies_are_counted() {
    let mut bench = bench(2, Expect::Reply);
    bench.work.fill(&mut bench.out);
    let sent = bench.sent();
    bench.answer("queryreply", &id(&sent[0]));
    bench.answer("getelement", &id(&sent[0]));
    bench.answer("getelement", "zzzzzzzzz");
    bench.answer("queueevent", "");
    let tally = &bench.tally;
    assert_eq!(
        (tally.errors(), tally.duplicates(), tally.messages()),
        (2, 1, 0)
    );
    assert!(tally.first_error().unwrap().contains("queryreply"));
}

#[test]
fn an_echo_is_compared_byte_by_byte() {
    let mut bench = bench(2, Expect::Echo);
    bench.work.fill(&mut bench.out);
    let sent = bench.sent();
    bench.work.frame(sent[0].clone(), &mut bench.out).unwrap();
    assert_eq!((bench.tally.messages(), bench.tally.errors()), (1, 0));
    let mut altered = sent[1].to_vec();
    let last = altered.len() - 1;
    altered[last] ^= 1;
    bench.work.frame(altered.into(), &mut bench.out).unwrap();
    assert_eq!((bench.tally.messages(), bench.tally.errors()), (1, 1));
}

#[test]
fn an_open_loop_keeps_the_time_a_request_was_due() {
    let mut bench = bench(1, Expect::Reply);
    let due = now_ns();
    bench.work.due(due, &mut bench.out);
    bench.work.due(due, &mut bench.out);
    let sent = bench.sent();
    assert_eq!((sent.len(), bench.work.unsent()), (1, 1));
    std::thread::sleep(std::time::Duration::from_millis(20));
    bench.answer("getelement", &id(&sent[0]));
    let second = bench.sent();
    assert_eq!((second.len(), bench.work.unsent()), (1, 0));
    bench.answer("getelement", &id(&second[0]));
    // Both waited, the second before it was even sent.
    assert!(bench.tally.quantile_us(0.0) >= 20_000.0);
}
