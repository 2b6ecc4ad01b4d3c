//! Files that are histories, files that are not, and the drawing.

use synod::protocols::sim::Ending;
use synod::protocols::sim::check::{Call, Model, Returned, Start, Value, Verdict, check};
use synod::protocols::types::Timestamp;

use super::record::Record;
use super::{drawing, shape};

fn parse(model: Model, lines: &[&str]) -> Result<Record, (u64, String)> {
    Record::parse(lines.join("\n").as_bytes(), model)
}

fn refused(model: Model, lines: &[&str]) -> (u64, String) {
    parse(model, lines).expect_err("it is no history")
}

const ASKS: &str = r#"{"process":0,"type":"invoke","f":"write","value":1,"time":12}"#;

#[test]
fn events_become_operations_of_their_keys() {
    let record = parse(
        Model::CasRegister,
        &[
            r#"{"process":0,"type":"invoke","f":"write","key":"x","value":1}"#,
            r#"{"process":"nemesis","type":"info","f":"kill","value":["n1"]}"#,
            r#"{"process":1,"type":"invoke","f":"cas","key":"y","value":[null,2]}"#,
            r#"{"process":0,"type":"ok","f":"write","key":"x","value":1}"#,
            "",
            r#"{"process":1,"type":"ok","f":"cas","key":"y","value":[null,2],"result":false}"#,
            r#"{"process":1,"type":"invoke","f":"read","key":"y"}"#,
            r#"{"process":0,"type":"invoke","f":"write","key":"y","value":{"a":1.5}}"#,
            r#"{"process":0,"type":"fail","f":"write","key":"y","value":{"a":1.5},"error":"timeout"}"#,
        ],
    )
    .unwrap();
    let (x, y) = (Value::Text("x".into()), Value::Text("y".into()));
    assert_eq!(record.keys[&x].len(), 1);
    assert_eq!(record.keys[&x][0].ended, Timestamp(4));
    let y = &record.keys[&y];
    assert_eq!(y[0].ending, Ending::Ok(Returned::Swapped(false)));
    assert_eq!((y[1].invoked, y[1].ended, &y[1].ending), (Timestamp(7), Timestamp::NEVER, &Ending::Info));
    assert_eq!(y[2].ending, Ending::Fail);
    assert_eq!(y[2].action, Call::Write(Value::Other(r#"{"a":1.5}"#.into())));
}

#[test]
fn a_process_asks_one_thing_at_a_time() {
    let (line, reason) = refused(Model::Register, &[ASKS, ASKS]);
    assert_eq!((line, reason.as_str()), (2, "process 0 asks although what it asked in line 1 has not ended"));
}

#[test]
fn after_info_a_process_may_go_on_and_the_operation_stays_open() {
    let info = r#"{"process":0,"type":"info","f":"write","value":1}"#;
    let record = parse(Model::Register, &[ASKS, info, ASKS]).unwrap();
    let operations = &record.keys[&Value::Nil];
    assert_eq!(operations.len(), 2);
    assert!(operations.iter().all(|operation| operation.ended == Timestamp::NEVER));
    assert_eq!(refused(Model::Register, &[ASKS, info, info]).0, 3);
}

#[test]
fn a_completion_ends_what_was_asked() {
    let ends =
        |rest: &str| refused(Model::Register, &[ASKS, &format!(r#"{{"process":0,"type":"ok",{rest}}}"#)]);
    let lone = refused(Model::Register, &[r#"{"process":7,"type":"ok","f":"read","value":1}"#]);
    assert_eq!(lone, (1, "process 7 ends what it has not begun".to_owned()));
    assert_eq!(ends(r#""f":"read","value":1"#).1, r#""read" ends the "write" of line 1"#);
    assert_eq!(ends(r#""f":"write","value":2"#).1, "value 2 ends what line 1 asked with value 1");
    assert!(ends(r#""f":"write","value":1,"key":"x""#).1.starts_with(r#"key "x" ends"#));
}

#[test]
fn lines_that_are_no_events_are_refused_with_a_reason() {
    let reason = |line: &str| refused(Model::Register, &[ASKS, line]);
    assert_eq!(reason("{").0, 2);
    assert!(reason("{").1.starts_with("not JSON: "));
    assert_eq!(reason("[1]").1, "an event is a JSON object");
    assert_eq!(reason(r#"{"process":1,"f":"read"}"#).1, "an event has a field \"type\"");
    assert!(reason(r#"{"process":1,"type":"done","f":"read"}"#).1.starts_with("type \"done\" is none of"));
    assert!(reason(r#"{"process":-1,"type":"ok","f":"read"}"#).1.starts_with("process -1 is neither"));
    assert!(reason(r#"{"process":"p","type":"ok","f":"read"}"#).1.starts_with("process \"p\" is neither"));
    assert!(Record::parse(b"\xff\n", Model::Set).unwrap_err().1.starts_with("not UTF-8"));
}

#[test]
fn calls_that_a_model_does_not_know_are_refused() {
    let reason = |model, f: &str, value: &str| {
        let line = format!(r#"{{"process":1,"type":"invoke","f":{f},"value":{value}}}"#);
        refused(model, &[&line]).1
    };
    assert_eq!(
        reason(Model::Register, "\"cas\"", "[1,2]"),
        "a register knows no f \"cas\"; it has read, write"
    );
    assert!(reason(Model::Register, "7", "1").contains("knows no f 7"));
    assert!(reason(Model::CasRegister, "\"cas\"", "[1]").contains("[old, new]"));
    assert!(reason(Model::Kv, "\"put\"", "1").contains("is a string, not 1"));
    assert!(reason(Model::Counter, "\"add\"", "1.5").contains("whole numbers"));
    assert!(reason(Model::Queue, "\"enqueue\"", "null").contains("null cannot be enqueued"));
    assert!(reason(Model::MultiRegister, "\"txn\"", "[[\"x\",1,2]]").contains("the value of a txn"));
}

#[test]
fn answers_that_a_model_cannot_give_are_refused() {
    let reason = |model, f: &str, asked: &str, answered: &str| {
        let asks = format!(r#"{{"process":1,"type":"invoke","f":"{f}","value":{asked}}}"#);
        let ends = format!(r#"{{"process":1,"type":"ok","f":"{f}",{answered}}}"#);
        refused(model, &[&asks, &ends])
    };
    assert_eq!(reason(Model::Set, "read", "null", r#""value":[1,1]"#).0, 2);
    assert!(reason(Model::Set, "read", "null", r#""value":3"#).1.contains("is an array"));
    assert!(reason(Model::Counter, "read", "null", r#""value":null"#).1.contains("whole number"));
    assert!(reason(Model::Kv, "get", "null", r#""value":null"#).1.contains("is a string"));
    assert!(
        reason(Model::CasRegister, "cas", "[1,2]", r#""value":[1,2],"result":1"#).1.contains("true or false")
    );
    let other = reason(Model::MultiRegister, "txn", r#"[["r","x",null]]"#, r#""value":[["r","y",1]]"#);
    assert!(other.1.contains("another one"), "{other:?}");
}

#[test]
fn a_start_is_read_as_the_model_needs_it() {
    assert_eq!(shape::start(Model::Register, None), Ok(Start::Usual));
    assert_eq!(shape::start(Model::Register, Some("nil")), Ok(Start::Usual));
    assert_eq!(shape::start(Model::Register, Some("0")), Ok(Start::Value(Value::Integer(0))));
    assert_eq!(shape::start(Model::Queue, Some("[1]")), Ok(Start::Items(vec![Value::Integer(1)])));
    for (model, init) in [
        (Model::Kv, "1"),
        (Model::Counter, "\"1\""),
        (Model::Set, "[1,1]"),
        (Model::Queue, "[null]"),
        (Model::Mutex, "true"),
        (Model::Register, "hello"),
    ] {
        let reason = shape::start(model, Some(init)).expect_err("the model cannot begin so");
        assert!(reason.starts_with(&format!("--init {init}: ")), "{reason}");
    }
}

#[test]
fn the_failing_part_is_drawn_over_time() {
    let record = parse(
        Model::Register,
        &[
            ASKS,
            r#"{"process":0,"type":"ok","f":"write","value":1}"#,
            r#"{"process":2,"type":"invoke","f":"write","value":3}"#,
            r#"{"process":0,"type":"invoke","f":"write","value":2}"#,
            r#"{"process":0,"type":"ok","f":"write","value":2}"#,
            r#"{"process":1,"type":"invoke","f":"read"}"#,
            r#"{"process":1,"type":"ok","f":"read","value":1}"#,
            r#"{"process":1,"type":"invoke","f":"read"}"#,
        ],
    )
    .unwrap();
    let operations = &record.keys[&Value::Nil];
    let verdict = check(Model::Register, &Start::Usual, operations, |_| true).unwrap();
    let Verdict::NotLinearizable(refutation) = verdict else { panic!("{verdict:?}") };
    assert_eq!(
        drawing::draw(operations, &refutation),
        [
            "      line   process   place  operation    time\n",
            "         1         0      #1  write 1      |-|\n",
            "         3         2       -  write 3 → ?      |-------…\n",
            "         4         0      #2  write 2            |-|\n",
            "         6         1       -  read → 1               |-X\n",
        ]
        .concat()
    );
}
