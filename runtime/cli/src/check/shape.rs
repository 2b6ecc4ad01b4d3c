//! What `f` and `value` mean in each model: JSON to calls and answers of the checker, or the reason why not.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use synod::protocols::sim::check::{Access, Call, Model, Returned, Start, Value};

/// The call of an invocation.
pub(super) fn call(model: Model, f: &Json, value: &Json) -> Result<Call, String> {
    let unknown = || format!("a {model} knows no f {f}; it has {}", functions(model));
    let f = f.as_str().ok_or_else(unknown)?;
    match (model, f) {
        (Model::Register | Model::CasRegister | Model::Counter | Model::Set, "read") => Ok(Call::Read),
        (Model::Register | Model::CasRegister, "write") => Ok(Call::Write(plain(value))),
        (Model::CasRegister, "cas") => match value.as_array().map(Vec::as_slice) {
            Some([expected, new]) => Ok(Call::CompareAndSet { expected: plain(expected), new: plain(new) }),
            _ => Err(format!("the value of a cas is [old, new], not {value}")),
        },
        (Model::Kv, "get") => Ok(Call::Read),
        (Model::Kv, "put") => text(f, value).map(|text| Call::Write(Value::Text(text))),
        (Model::Kv, "append") => text(f, value).map(Call::Append),
        (Model::Counter, "add") => {
            value.as_i64().map(Call::Add).ok_or_else(|| format!("a counter adds whole numbers, not {value}"))
        }
        (Model::Set, "add") => Ok(Call::Insert(plain(value))),
        (Model::Queue, "enqueue") if value.is_null() => {
            Err("null cannot be enqueued: it is what an empty queue answers".to_owned())
        }
        (Model::Queue, "enqueue") => Ok(Call::Enqueue(plain(value))),
        (Model::Queue, "dequeue") => Ok(Call::Dequeue),
        (Model::Mutex, "acquire") => Ok(Call::Acquire),
        (Model::Mutex, "release") => Ok(Call::Release),
        (Model::MultiRegister, "txn") => accesses(value)
            .map(|accesses| Call::Transact(accesses.into_iter().map(|(access, _)| access).collect())),
        _ => Err(unknown()),
    }
}

/// The answer of a completion of type `ok`.
pub(super) fn returned(model: Model, call: &Call, value: &Json, result: &Json) -> Result<Returned, String> {
    match call {
        Call::Read if model == Model::Set => elements(value).map(Returned::Elements),
        Call::Read if model == Model::Counter => value
            .as_i64()
            .map(|total| Returned::Value(Value::Integer(total)))
            .ok_or_else(|| format!("a read of a counter is a whole number, not {value}")),
        Call::Read if model == Model::Kv => text("get", value).map(|text| Returned::Value(Value::Text(text))),
        Call::Read | Call::Dequeue => Ok(Returned::Value(plain(value))),
        Call::CompareAndSet { .. } => match result {
            Json::Null => Ok(Returned::Swapped(true)),
            Json::Bool(swapped) => Ok(Returned::Swapped(*swapped)),
            other => Err(format!("the result of a cas is true or false, not {other}")),
        },
        Call::Transact(asked) => {
            let done = accesses(value)?;
            if !done.iter().map(|(access, _)| access).eq(asked) {
                return Err(format!("the transaction that was asked is another one than {value}"));
            }
            let reads = done.into_iter().filter(|(access, _)| matches!(access, Access::Read(_)));
            Ok(Returned::Seen(reads.map(|(_, seen)| seen).collect()))
        }
        Call::Write(_)
        | Call::Append(_)
        | Call::Add(_)
        | Call::Insert(_)
        | Call::Enqueue(_)
        | Call::Acquire
        | Call::Release => Ok(Returned::Done),
    }
}

/// What `--init` says.
pub(super) fn start(model: Model, init: Option<&str>) -> Result<Start, String> {
    let Some(init) = init.filter(|init| *init != "nil") else { return Ok(Start::Usual) };
    let json: Json = serde_json::from_str(init)
        .map_err(|_| format!("--init {init}: neither nil nor JSON (a string has quotes: '\"{init}\"')"))?;
    if json.is_null() {
        return Ok(Start::Usual);
    }
    let wrong = |what: &str| format!("--init {init}: a {model} begins with {what}");
    match model {
        Model::Register | Model::CasRegister | Model::MultiRegister => Ok(Start::Value(plain(&json))),
        Model::Kv => json
            .as_str()
            .map(|text| Start::Value(Value::Text(text.to_owned())))
            .ok_or_else(|| wrong("a string")),
        Model::Counter => json
            .as_i64()
            .map(|total| Start::Value(Value::Integer(total)))
            .ok_or_else(|| wrong("a whole number")),
        Model::Set => {
            elements(&json).map(Start::Elements).map_err(|_| wrong("an array of different elements"))
        }
        Model::Queue => match json.as_array() {
            Some(items) if !items.contains(&Json::Null) => {
                Ok(Start::Items(items.iter().map(plain).collect()))
            }
            _ => Err(wrong("an array without null")),
        },
        Model::Mutex => Err(wrong("nobody who has it")),
    }
}

/// A value as it is: equal values of JSON are equal.
pub(super) fn plain(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::String(text) => Value::Text(text.clone()),
        Json::Number(number) => match number.as_i64() {
            Some(number) => Value::Integer(number),
            None => Value::Other(number.to_string()),
        },
        Json::Bool(_) | Json::Array(_) | Json::Object(_) => Value::Other(json.to_string()),
    }
}

fn functions(model: Model) -> &'static str {
    match model {
        Model::Register => "read, write",
        Model::CasRegister => "read, write, cas",
        Model::Kv => "get, put, append",
        Model::Counter | Model::Set => "add, read",
        Model::Queue => "enqueue, dequeue",
        Model::Mutex => "acquire, release",
        Model::MultiRegister => "txn",
    }
}

fn text(f: &str, value: &Json) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| format!("the value of a {f} is a string, not {value}"))
}

fn elements(value: &Json) -> Result<BTreeSet<Value>, String> {
    let Some(array) = value.as_array() else {
        return Err(format!("a read of a set is an array, not {value}"));
    };
    let mut elements = BTreeSet::new();
    for element in array {
        if !elements.insert(plain(element)) {
            return Err(format!("a set has {element} once, and this one has it twice"));
        }
    }
    Ok(elements)
}

fn accesses(value: &Json) -> Result<Vec<(Access, Value)>, String> {
    let wrong = || format!("the value of a txn is [[\"r\" or \"w\", key, value], …], not {value}");
    let access = |step: &Json| match step.as_array().map(Vec::as_slice) {
        Some([Json::String(kind), key, value]) if kind == "r" => {
            Some((Access::Read(plain(key)), plain(value)))
        }
        Some([Json::String(kind), key, value]) if kind == "w" => {
            Some((Access::Write(plain(key), plain(value)), plain(value)))
        }
        _ => None,
    };
    let steps = value.as_array().ok_or_else(wrong)?;
    steps.iter().map(|step| access(step).ok_or_else(wrong)).collect()
}
