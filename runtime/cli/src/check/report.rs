//! The report: one HTML file with its drawing inside, for a browser without a network.

use std::collections::BTreeMap;

use synod::protocols::sim::check::{Call, Model, Refutation, Returned, Value, Verdict};
use synod::protocols::sim::{Ending, Operation};

use super::drawing::shown;

/// How many operations of a key that does not fail are drawn, and how many keys.
const OPERATIONS: usize = 400;
const KEYS: usize = 20;
const COLUMN: usize = 26;
const ROW: usize = 34;
const MARGIN: usize = 90;

const HEAD: &str = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>synod check</title><style>\n\
    body{font:14px/1.5 system-ui,sans-serif;margin:2em;color:#222;background:#fff}\
    h2{margin-top:2em}div.time{overflow-x:auto;border:1px solid #ddd}svg text{font:11px ui-monospace,monospace}\
    .ok{fill:#cfe3f7;stroke:#4a80b5}.unknown{fill:#f2f2f2;stroke:#888;stroke-dasharray:4 3}\
    .stuck{fill:#f7c6c2;stroke:#b3261e;stroke-width:2}.lane{stroke:#eee}\n</style></head><body>\n";

/// The report of a history.
pub(super) fn html(
    title: &str,
    model: Model,
    sentence: &str,
    keys: &BTreeMap<Value, Vec<Operation<Call, Returned>>>,
    verdicts: &BTreeMap<Value, Verdict>,
) -> String {
    let mut html = HEAD.to_owned();
    html.push_str(&format!(
        "<h1>{}</h1>\n<p>Model {model}. <b>{}</b></p>\n",
        escaped(title),
        escaped(sentence)
    ));
    let mut order: Vec<(&Value, &Verdict)> = verdicts.iter().collect();
    order.sort_by_key(|(_, verdict)| match verdict {
        Verdict::NotLinearizable(refutation) => (0, refutation.part.len()),
        Verdict::Unknown => (1, 0),
        Verdict::Linearizable(_) => (2, 0),
    });
    for (key, verdict) in order.iter().take(KEYS) {
        html.push_str(&section(key, &keys[*key], verdict));
    }
    if order.len() > KEYS {
        html.push_str(&format!("<p>{} more keys are not drawn.</p>\n", order.len() - KEYS));
    }
    html.push_str("</body></html>\n");
    html
}

fn section(key: &Value, operations: &[Operation<Call, Returned>], verdict: &Verdict) -> String {
    let asked = |range: usize| (0..operations.len().min(range)).collect::<Vec<_>>();
    let (words, drawn, order, refutation) = match verdict {
        Verdict::NotLinearizable(refutation) => {
            let held = escaped(&refutation.states.join(" or "));
            let words = format!(
                "not linearizable: after the longest order of effects the object holds {held}, and the red operation has no place"
            );
            (words, shown(operations, refutation), &refutation.order[..], Some(refutation))
        }
        Verdict::Linearizable(order) => ("linearizable".to_owned(), asked(OPERATIONS), &order[..], None),
        Verdict::Unknown => ("unknown".to_owned(), asked(OPERATIONS), &[][..], None),
    };
    let left_out = operations.len() - drawn.len();
    format!(
        "<h2>Key {}</h2>\n<p>{} operations, {left_out} of them not drawn: {words}.</p>\n<div class=\"time\">{}</div>\n",
        escaped(&key.to_string()),
        operations.len(),
        svg(operations, &drawn, order, refutation)
    )
}

fn svg(
    operations: &[Operation<Call, Returned>],
    drawn: &[usize],
    order: &[usize],
    refutation: Option<&Refutation>,
) -> String {
    let mut events: Vec<u64> = drawn
        .iter()
        .flat_map(|&number| [operations[number].invoked.0, operations[number].ended.0])
        .filter(|line| *line != u64::MAX)
        .collect();
    events.sort_unstable();
    events.dedup();
    let column = |line: u64| MARGIN + COLUMN * events.partition_point(|event| *event < line);
    let mut processes: Vec<u64> = drawn.iter().map(|&number| operations[number].client.0).collect();
    processes.sort_unstable();
    processes.dedup();
    let places: BTreeMap<usize, usize> = order.iter().copied().zip(1..).collect();
    let width = MARGIN + COLUMN * (events.len() + 2);
    let height = ROW * (processes.len() + 1);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" role=\"img\">\n"
    );
    for (row, process) in processes.iter().enumerate() {
        let y = ROW * row + ROW / 2 + 10;
        svg.push_str(&format!(
            "<line class=\"lane\" x1=\"0\" x2=\"{width}\" y1=\"{y}\" y2=\"{y}\"/><text x=\"4\" y=\"{}\">process {process}</text>\n",
            y + 4
        ));
    }
    for &number in drawn {
        let operation = &operations[number];
        let row = processes.partition_point(|process| *process < operation.client.0);
        let (x, y) = (column(operation.invoked.0), ROW * row + 10);
        let end = column(operation.ended.0).max(x + COLUMN / 2).min(width - 4);
        let class = match operation.ending {
            _ if refutation.is_some_and(|refutation| refutation.stuck == number) => "stuck",
            Ending::Ok(_) => "ok",
            Ending::Fail | Ending::Info => "unknown",
        };
        let words = escaped(&operation.action.describe(&operation.ending));
        let place = places.get(&number).map_or(String::new(), |place| format!("#{place} "));
        // A nested drawing cuts the words off where the operation ends; the tooltip has them all.
        svg.push_str(&format!(
            "<g><title>line {}: {place}{words}</title><rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" rx=\"3\"/>\
             <svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"><text x=\"3\" y=\"16\">{place}{words}</text></svg></g>\n",
            operation.invoked,
            w = end - x,
            h = ROW - 10,
        ));
    }
    svg.push_str("</svg>");
    svg
}

fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() => escaped.extend(c.escape_default()),
            c => escaped.push(c),
        }
    }
    escaped
}
