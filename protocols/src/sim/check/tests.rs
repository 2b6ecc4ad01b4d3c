//! Each model by accepted and refused histories, and what a verdict says.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::sim::history::{History, OperationId};
use crate::types::{ClientId, Timestamp};

/// A history written down line by line.
#[derive(Default)]
struct Script {
    history: History<Call, Returned>,
    open: BTreeMap<u64, OperationId>,
    line: u64,
}

impl Script {
    fn ask(mut self, client: u64, call: Call) -> Self {
        self.line += 1;
        let operation = self.history.invoke(Timestamp(self.line), ClientId(client), call);
        assert_eq!(self.open.insert(client, operation), None, "client {client} asks one thing at a time");
        self
    }

    fn ok(mut self, client: u64, returned: Returned) -> Self {
        self.line += 1;
        let operation = self.open.remove(&client).expect("it has asked");
        self.history.succeed(Timestamp(self.line), operation, returned);
        self
    }

    fn fail(mut self, client: u64) -> Self {
        self.line += 1;
        let operation = self.open.remove(&client).expect("it has asked");
        self.history.fail(Timestamp(self.line), operation);
        self
    }

    /// Never hears.
    fn lost(mut self, client: u64) -> Self {
        self.open.remove(&client).expect("it has asked");
        self
    }

    /// Asks and is answered at once.
    fn did(self, client: u64, call: Call, returned: Returned) -> Self {
        self.ask(client, call).ok(client, returned)
    }

    fn verdict(&self, model: Model) -> Verdict {
        self.verdict_from(model, &Start::Usual)
    }

    fn verdict_from(&self, model: Model, start: &Start) -> Verdict {
        check(model, start, self.history.operations(), |_| true).expect("the history fits the model")
    }

    fn accepted(&self, model: Model) {
        let verdict = self.verdict(model);
        assert!(matches!(verdict, Verdict::Linearizable(_)), "{verdict:?}");
    }

    fn refused(&self, model: Model) -> Refutation {
        match self.verdict(model) {
            Verdict::NotLinearizable(refutation) => refutation,
            other => panic!("{other:?}"),
        }
    }
}

fn int(number: i64) -> Value {
    Value::Integer(number)
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn write(number: i64) -> Call {
    Call::Write(int(number))
}

fn cas(expected: i64, new: i64) -> Call {
    Call::CompareAndSet { expected: int(expected), new: int(new) }
}

fn saw(number: i64) -> Returned {
    Returned::Value(int(number))
}

fn elements(numbers: &[i64]) -> Returned {
    Returned::Elements(numbers.iter().copied().map(int).collect())
}

use Returned::{Done, Swapped};

const NOTHING: Returned = Returned::Value(Value::Nil);

#[test]
fn a_read_sees_the_last_write() {
    let script = Script::default().did(1, write(1), Done).did(2, Call::Read, saw(1));
    script.accepted(Model::Register);
    script.did(1, write(2), Done).did(2, Call::Read, saw(1)).refused(Model::Register);
}

#[test]
fn a_register_begins_with_nil_or_with_what_is_said() {
    let script = Script::default().did(1, Call::Read, NOTHING);
    script.accepted(Model::Register);
    let from = Start::Value(int(0));
    assert!(matches!(script.verdict_from(Model::Register, &from), Verdict::NotLinearizable(_)));
    let script = Script::default().did(1, Call::Read, saw(0));
    assert!(matches!(script.verdict_from(Model::Register, &from), Verdict::Linearizable(_)));
}

#[test]
fn concurrent_reads_may_differ_but_not_go_back() {
    let begun = || Script::default().did(9, write(0), Done).ask(1, write(1));
    begun().did(2, Call::Read, saw(0)).did(2, Call::Read, saw(1)).ok(1, Done).accepted(Model::Register);
    begun().did(2, Call::Read, saw(1)).did(3, Call::Read, saw(0)).ok(1, Done).refused(Model::Register);
    let both = begun().ask(2, Call::Read).ask(3, Call::Read).ok(2, saw(1)).ok(3, saw(0)).ok(1, Done);
    both.accepted(Model::Register);
}

#[test]
fn a_write_of_unknown_outcome_takes_effect_late_or_never_but_once() {
    let begun = || {
        Script::default().did(9, write(0), Done).ask(1, write(7)).lost(1).did(2, Call::Read, saw(0)).did(
            2,
            write(3),
            Done,
        )
    };
    begun().did(2, Call::Read, saw(3)).accepted(Model::Register);
    let late = || begun().did(2, Call::Read, saw(3)).did(2, Call::Read, saw(7));
    late().accepted(Model::Register);
    late().did(2, write(4), Done).did(2, Call::Read, saw(7)).refused(Model::Register);
}

#[test]
fn a_write_of_unknown_outcome_does_not_take_effect_before_it_was_asked() {
    Script::default().did(2, Call::Read, saw(7)).ask(1, write(7)).lost(1).refused(Model::Register);
}

#[test]
fn what_failed_did_not_happen() {
    let begun = Script::default().did(1, write(1), Done).ask(2, write(2)).fail(2);
    begun.accepted(Model::Register);
    begun.did(3, Call::Read, saw(2)).refused(Model::Register);
}

#[test]
fn two_unknown_writes_of_one_value_can_be_seen_twice_and_no_more() {
    let begun = || {
        let script = Script::default().ask(1, write(7)).lost(1).ask(2, write(7)).lost(2);
        script.did(3, Call::Read, saw(7)).did(3, write(0), Done).did(3, Call::Read, saw(7))
    };
    begun().accepted(Model::Register);
    begun().did(3, write(1), Done).did(3, Call::Read, saw(7)).refused(Model::Register);
}

#[test]
fn a_compare_and_set_tells_what_it_found() {
    let begun = || Script::default().did(1, write(1), Done);
    begun().did(2, cas(1, 2), Swapped(true)).did(3, Call::Read, saw(2)).accepted(Model::CasRegister);
    begun().did(2, cas(5, 2), Swapped(false)).did(3, Call::Read, saw(1)).accepted(Model::CasRegister);
    begun().did(2, cas(1, 2), Swapped(false)).refused(Model::CasRegister);
    begun().did(2, cas(5, 2), Swapped(true)).refused(Model::CasRegister);
    let both = begun().ask(2, cas(1, 2)).ask(3, cas(1, 3)).ok(2, Swapped(true)).ok(3, Swapped(true));
    both.refused(Model::CasRegister);
}

#[test]
fn a_compare_and_set_that_failed_to_match_may_need_an_unknown_write() {
    let begun = || Script::default().did(1, write(1), Done).ask(2, write(9)).lost(2);
    let between = || begun().did(3, cas(1, 2), Swapped(false));
    between().accepted(Model::CasRegister);
    between().did(3, Call::Read, saw(9)).accepted(Model::CasRegister);
    between().did(3, Call::Read, saw(1)).refused(Model::CasRegister);
}

#[test]
fn an_unknown_compare_and_set_takes_effect_only_on_the_expected_value() {
    let begun = || Script::default().did(1, write(1), Done).ask(2, cas(2, 3)).lost(2);
    begun().did(3, Call::Read, saw(3)).refused(Model::CasRegister);
    begun().did(3, write(2), Done).did(3, Call::Read, saw(3)).accepted(Model::CasRegister);
}

#[test]
fn a_key_holds_text_that_grows() {
    let begun = || {
        Script::default()
            .did(1, Call::Read, Returned::Value(text("")))
            .ask(1, Call::Append("ab".into()))
            .ask(2, Call::Append("c".into()))
            .ok(1, Done)
            .ok(2, Done)
    };
    begun().did(3, Call::Read, Returned::Value(text("abc"))).accepted(Model::Kv);
    begun().did(3, Call::Read, Returned::Value(text("cab"))).accepted(Model::Kv);
    begun().did(3, Call::Read, Returned::Value(text("acb"))).refused(Model::Kv);
    let put = begun().did(3, Call::Write(text("x")), Done);
    put.did(3, Call::Read, Returned::Value(text("x"))).accepted(Model::Kv);
}

#[test]
fn texts_are_equal_however_they_were_put_together() {
    Script::default()
        .ask(1, Call::Append("a".into()))
        .ask(2, Call::Append("ä".into()))
        .ask(3, Call::Append("aä".into()))
        .ok(1, Done)
        .ok(2, Done)
        .ok(3, Done)
        .did(4, Call::Read, Returned::Value(text("aäaä")))
        .accepted(Model::Kv);
}

#[test]
fn a_counter_counts_each_addition_once() {
    let begun = || Script::default().did(1, Call::Add(3), Done).ask(2, Call::Add(-1)).lost(2);
    begun().did(3, Call::Read, saw(3)).did(3, Call::Read, saw(2)).accepted(Model::Counter);
    begun().did(3, Call::Read, saw(2)).did(3, Call::Read, saw(3)).refused(Model::Counter);
    begun().did(3, Call::Read, saw(1)).refused(Model::Counter);
}

#[test]
fn a_set_keeps_what_was_added() {
    let begun = || Script::default().did(1, Call::Insert(int(1)), Done).ask(2, Call::Insert(int(2)));
    begun()
        .lost(2)
        .did(3, Call::Read, elements(&[1]))
        .did(3, Call::Read, elements(&[1, 2]))
        .accepted(Model::Set);
    begun()
        .lost(2)
        .did(3, Call::Read, elements(&[1, 2]))
        .did(3, Call::Read, elements(&[1]))
        .refused(Model::Set);
    begun().ok(2, Done).did(3, Call::Read, elements(&[1])).refused(Model::Set);
    begun().ok(2, Done).did(3, Call::Read, elements(&[1, 2, 3])).refused(Model::Set);
    let from = Start::Elements(BTreeSet::from([int(8)]));
    let script = begun().ok(2, Done).did(3, Call::Read, elements(&[1, 2, 8]));
    assert!(matches!(script.verdict_from(Model::Set, &from), Verdict::Linearizable(_)));
}

#[test]
fn a_queue_gives_first_what_came_first_and_nil_when_empty() {
    let begun = || {
        let script = Script::default().did(1, Call::Enqueue(int(1)), Done);
        script.did(1, Call::Enqueue(int(2)), Done)
    };
    begun().did(2, Call::Dequeue, saw(1)).did(2, Call::Dequeue, saw(2)).accepted(Model::Queue);
    begun().did(2, Call::Dequeue, saw(2)).refused(Model::Queue);
    begun().did(2, Call::Dequeue, NOTHING).refused(Model::Queue);
    begun()
        .did(2, Call::Dequeue, saw(1))
        .did(2, Call::Dequeue, saw(2))
        .did(2, Call::Dequeue, NOTHING)
        .accepted(Model::Queue);
    begun().did(2, Call::Dequeue, saw(1)).did(3, Call::Dequeue, saw(1)).refused(Model::Queue);
}

#[test]
fn an_unknown_dequeue_may_have_taken_an_item() {
    let begun = || {
        let script =
            Script::default().did(1, Call::Enqueue(int(1)), Done).did(1, Call::Enqueue(int(2)), Done);
        script.ask(2, Call::Dequeue).lost(2)
    };
    begun().did(3, Call::Dequeue, saw(2)).did(3, Call::Dequeue, NOTHING).accepted(Model::Queue);
    begun().did(3, Call::Dequeue, saw(1)).did(3, Call::Dequeue, NOTHING).accepted(Model::Queue);
    begun().did(3, Call::Dequeue, NOTHING).refused(Model::Queue);
}

#[test]
fn an_unknown_enqueue_may_arrive_late() {
    let begun = || Script::default().ask(1, Call::Enqueue(int(1))).lost(1).did(2, Call::Dequeue, NOTHING);
    let late = || begun().did(2, Call::Enqueue(int(2)), Done).did(2, Call::Dequeue, saw(1));
    late().did(2, Call::Dequeue, saw(2)).accepted(Model::Queue);
    late().did(2, Call::Dequeue, saw(2)).did(2, Call::Dequeue, saw(1)).refused(Model::Queue);
}

#[test]
fn a_mutex_is_taken_by_one() {
    let taken = || Script::default().did(1, Call::Acquire, Done);
    taken().did(1, Call::Release, Done).did(2, Call::Acquire, Done).accepted(Model::Mutex);
    taken().did(2, Call::Acquire, Done).refused(Model::Mutex);
    Script::default().did(1, Call::Release, Done).refused(Model::Mutex);
    taken().ask(1, Call::Release).lost(1).did(2, Call::Acquire, Done).accepted(Model::Mutex);
    let both = Script::default().ask(1, Call::Acquire).ask(2, Call::Acquire).ok(1, Done).ok(2, Done);
    both.refused(Model::Mutex);
}

#[test]
fn a_transaction_is_one_step_on_all_its_registers() {
    let (x, y) = (|| text("x"), || text("y"));
    let both =
        |value: i64| Call::Transact(vec![Access::Write(x(), int(value)), Access::Write(y(), int(value))]);
    let look = || Call::Transact(vec![Access::Read(x()), Access::Read(y())]);
    let seen = |first: i64, second: i64| Returned::Seen(vec![int(first), int(second)]);
    let wrote = || Returned::Seen(Vec::new());
    let begun = || Script::default().did(1, both(1), wrote()).ask(1, both(2));
    begun()
        .did(2, look(), seen(1, 1))
        .did(2, look(), seen(2, 2))
        .ok(1, wrote())
        .accepted(Model::MultiRegister);
    begun().did(2, look(), seen(1, 2)).ok(1, wrote()).refused(Model::MultiRegister);
    begun().lost(1).did(2, look(), seen(2, 2)).did(2, look(), seen(1, 1)).refused(Model::MultiRegister);
    let own = Call::Transact(vec![Access::Write(x(), int(5)), Access::Read(x()), Access::Read(y())]);
    let script = Script::default().did(1, own, Returned::Seen(vec![int(5), Value::Nil]));
    script.accepted(Model::MultiRegister);
}

#[test]
fn the_part_ends_where_the_history_can_no_more_be_explained() {
    let script = Script::default()
        .did(1, write(1), Done)
        .did(2, write(2), Done)
        .did(3, Call::Read, saw(1))
        .did(1, write(3), Done)
        .did(3, Call::Read, saw(3));
    let refutation = script.refused(Model::Register);
    assert_eq!((refutation.last, refutation.stuck), (2, 2));
    assert_eq!(refutation.part, [0, 1, 2]);
    assert_eq!(refutation.order, [0, 1]);
    assert_eq!(refutation.states, ["2"]);
    assert!(refutation.shortest);
}

#[test]
fn a_later_answer_can_be_what_refutes() {
    // The read of 2 is fine as long as the compare-and-set that is open may have written it.
    let begun = || {
        let script = Script::default().did(1, write(1), Done).ask(2, cas(1, 2));
        script.did(3, Call::Read, saw(2)).did(3, Call::Read, saw(2))
    };
    begun().accepted(Model::CasRegister);
    let refutation = begun().ok(2, Swapped(false)).did(1, write(5), Done).refused(Model::CasRegister);
    assert_eq!(refutation.last, 1, "the compare-and-set's answer");
    assert_eq!(refutation.stuck, 2, "the first read of 2");
    assert_eq!(refutation.part, [0, 1, 2, 3]);
}

#[test]
fn the_order_of_an_accepted_history_explains_it() {
    let script = Script::default()
        .ask(1, write(1))
        .ask(2, write(2))
        .ask(3, Call::Read)
        .ok(3, saw(2))
        .ok(1, Done)
        .ok(2, Done)
        .did(3, Call::Read, saw(1));
    assert_eq!(script.verdict(Model::Register), Verdict::Linearizable(vec![1, 2, 0, 3]));
}

/// Blind writes in any order, and then a read of what nobody wrote: every subset has to be tried.
fn hard(clients: u64) -> Script {
    let mut script = Script::default();
    for client in 0..clients {
        script = script.ask(client, write(client as i64));
    }
    for client in 0..clients {
        script = script.ok(client, Done);
    }
    script.did(0, Call::Read, saw(-1))
}

#[test]
fn a_search_that_is_stopped_says_unknown() {
    let script = hard(16);
    let mut asked = 0;
    let verdict = check(Model::Register, &Start::Usual, script.history.operations(), |effort| {
        asked += 1;
        assert_eq!(effort.completed, 17);
        effort.steps < 2_000
    });
    assert_eq!(verdict, Ok(Verdict::Unknown));
    assert!(asked > 1, "the caller was asked {asked} times");
    hard(8).refused(Model::Register);
}

#[test]
fn keys_are_apart_and_an_easy_one_does_not_wait_for_a_hard_one() {
    let histories = BTreeMap::from([
        ("a hard one", hard(16).history.operations().to_vec()),
        ("fine", Script::default().did(1, Call::Read, NOTHING).history.operations().to_vec()),
        ("wrong", Script::default().did(1, Call::Read, saw(1)).history.operations().to_vec()),
    ]);
    let verdicts = check_keys(Model::Register, &Start::Usual, &histories, |_, _| false).unwrap();
    assert_eq!(verdicts["a hard one"], Verdict::Unknown);
    assert_eq!(verdicts["fine"], Verdict::Linearizable(vec![0]));
    assert!(matches!(verdicts["wrong"], Verdict::NotLinearizable(_)));
}

#[test]
fn calls_and_answers_of_another_model_are_refused() {
    let misfit = |script: Script, model| {
        check(model, &Start::Usual, script.history.operations(), |_| true).expect_err("it does not fit")
    };
    let script = Script::default().did(1, write(1), Done).did(1, Call::Enqueue(int(1)), Done);
    assert_eq!(misfit(script, Model::Register), Misfit::Operation { operation: 1, model: Model::Register });
    let script = Script::default().did(1, Call::Read, elements(&[]));
    assert_eq!(misfit(script, Model::Counter), Misfit::Operation { operation: 0, model: Model::Counter });
    let start = Start::Value(int(1));
    assert_eq!(check(Model::Mutex, &start, &[], |_| true), Err(Misfit::Start { model: Model::Mutex }));
}

#[test]
fn a_history_without_answers_is_linearizable() {
    Script::default().accepted(Model::Register);
    Script::default().ask(1, write(1)).lost(1).ask(2, Call::Read).lost(2).accepted(Model::Register);
}

#[test]
fn a_refuted_queue_tells_what_it_holds_where_the_answer_is_wrong() {
    let script = Script::default()
        .did(1, Call::Enqueue(int(1)), Done)
        .did(1, Call::Enqueue(int(2)), Done)
        .did(2, Call::Dequeue, saw(1))
        .did(1, Call::Enqueue(int(3)), Done)
        .did(2, Call::Dequeue, saw(3))
        .did(2, Call::Dequeue, saw(2));
    let refutation = script.refused(Model::Queue);
    assert_eq!((refutation.last, refutation.stuck), (4, 4));
    assert_eq!(refutation.order, [0, 1, 2, 3]);
    assert_eq!(refutation.states, ["[2, 3]"]);
    assert!(refutation.shortest);
}

#[test]
fn what_a_queue_holds_at_first_comes_out_first_and_in_order() {
    let judge = |script: Script, items: &[i64]| {
        let start = Start::Items(items.iter().copied().map(int).collect());
        check(Model::Queue, &start, script.history.operations(), |_| true).expect("it fits")
    };
    let two = |first, second| {
        Script::default().did(1, Call::Dequeue, saw(first)).did(1, Call::Dequeue, saw(second))
    };
    assert_eq!(judge(two(7, 8), &[7, 8]), Verdict::Linearizable(vec![0, 1]));
    assert!(matches!(judge(two(8, 7), &[7, 8]), Verdict::NotLinearizable(_)));
    assert!(matches!(judge(two(7, 8).did(1, Call::Dequeue, NOTHING), &[7, 8]), Verdict::Linearizable(_)));
    let late = Script::default().did(1, Call::Dequeue, NOTHING);
    assert!(matches!(judge(late, &[7]), Verdict::NotLinearizable(_)));
}
