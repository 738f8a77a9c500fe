use futures_util::FutureExt;

use super::*;

fn desk(handles: usize) -> Rc<Desk> {
    let shares = Arc::new(Shares::default());
    (0..handles).for_each(|_| shares.join());
    Rc::new(Desk::new(shares))
}

fn counts(desk: &Desk) -> (usize, usize, usize) {
    let state = desk.state.borrow();
    (state.tickets.len(), state.batches, state.bytes)
}

fn is_admitted(turn: &Turn) -> bool {
    turn.admitted().now_or_never().is_some()
}

fn answer(desk: &Desk, turn: &Turn) {
    desk.answer(vec![Reply {
        waiter: turn.waiter(),
        result: Ok(Outcome::Written),
    }]);
}

#[test]
fn beyond_the_share_the_first_to_come_goes_first() {
    let desk = desk(LEDGER_LANE_BATCHES_MAX);
    let first = desk.turn(10);
    let (second, third) = (desk.turn(10), desk.turn(10));
    assert_eq!((is_admitted(&first), is_admitted(&second)), (true, false));
    first.sent();
    answer(&desk, &first);
    assert_eq!((is_admitted(&second), is_admitted(&third)), (true, false));
    assert_eq!(first.now_or_never().unwrap().unwrap(), Outcome::Written);
    drop(second);
    assert!(is_admitted(&third));
}

#[test]
fn bytes_are_bounded_but_one_large_batch_may_go_alone() {
    let desk = desk(2);
    let large = desk.turn(LEDGER_INTAKE_BYTES_MAX);
    let small = desk.turn(1);
    assert_eq!((is_admitted(&large), is_admitted(&small)), (true, false));
    drop(large);
    assert!(is_admitted(&small));
}

#[test]
fn a_turn_dropped_at_any_stage_gives_back_what_it_held() {
    let desk = desk(LEDGER_LANE_BATCHES_MAX);
    let (admitted, queued) = (desk.turn(3), desk.turn(4));
    drop(queued);
    drop(admitted);
    assert_eq!(counts(&desk), (0, 0, 0));

    let sent = desk.turn(5);
    sent.sent();
    let waiter = sent.waiter();
    drop(sent);
    assert_eq!(counts(&desk), (1, 1, 5), "the ledger still has it");
    desk.answer(vec![Reply {
        waiter,
        result: Ok(Outcome::Written),
    }]);
    assert_eq!(counts(&desk), (0, 0, 0));

    let answered = desk.turn(6);
    answered.sent();
    answer(&desk, &answered);
    drop(answered);
    assert_eq!(counts(&desk), (0, 0, 0));
}
