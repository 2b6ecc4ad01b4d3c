//! How a text is taken apart, and what is refused with which sentence.

use crate::sim::scenario::misread::{Fault, Misread};
use crate::sim::scenario::script::Script;
use crate::sim::scenario::selection::Selection;
use crate::sim::scenario::words::Words;
use crate::types::NodeId;

#[test]
fn a_script_written_again_with_its_own_output_is_the_same_text() {
    let text = "# one\n\nstart 3\ncampaign 1\n----\nn1 leads\n\n# two\nsettle\n----\nok\n";
    let script = Script::parse(text).expect("a good script");
    let outputs: Vec<Vec<String>> =
        script.blocks().map(|block| block.expected.iter().map(|line| (*line).to_owned()).collect()).collect();
    assert_eq!(script.rewritten(&outputs), text);
    assert_eq!(script.blocks().map(|block| block.rule).collect::<Vec<_>>(), [5, 10]);
    let changed = script.rewritten(&[vec!["n2 leads".to_owned()], vec!["a".to_owned(), "b".to_owned()]]);
    assert_eq!(changed, "# one\n\nstart 3\ncampaign 1\n----\nn2 leads\n\n# two\nsettle\n----\na\nb\n");
}

#[test]
fn commands_without_a_rule_and_rules_without_commands_are_refused_with_their_line() {
    let fault = |text: &str| Script::parse(text).map(|_| ()).expect_err("a bad script");
    assert_eq!(fault("start 3\n\nsettle\n----\nok\n"), Fault { line: 1, reason: Misread::NoOutput });
    assert_eq!(fault("# a\nstart 3\n"), Fault { line: 2, reason: Misread::NoOutput });
    assert_eq!(fault("# a\n----\nok\n"), Fault { line: 2, reason: Misread::NoCommand });
    assert_eq!(fault("# a\nstart 3\n").to_string(), "line 2: the command is not followed by a line ----");
}

#[test]
fn nodes_and_durations_are_read_or_refused() {
    let nodes = |word: &str| Words::parse_nodes(word).map(|nodes| nodes.into_iter().map(|id| id.0).collect());
    assert_eq!(nodes("1"), Ok(vec![1]));
    assert_eq!(nodes("n3,1"), Ok(vec![1, 3]));
    assert_eq!(nodes("2-4,9"), Ok(vec![2, 3, 4, 9]));
    for bad in ["", "0", "x", "3-2", "1-100", "1,,2"] {
        assert!(nodes(bad).is_err(), "{bad:?}");
    }
    assert_eq!(Words::parse_duration("20ms"), Ok(std::time::Duration::from_millis(20)));
    for bad in ["", "20", "ms", "1h", "-1s", "1.5s", "99999999999s"] {
        assert!(Words::parse_duration(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_selection_names_paths_kinds_and_one_of_them() {
    let kinds = &["Vote", "Append"];
    let selection = |line: &str| Selection::parse(&mut Words::new(line), kinds);
    let meant = |line: &str, from: u64, to: u64, kind: &'static str| {
        selection(line).expect("a selection").matches(NodeId(from), NodeId(to), kind)
    };
    assert!(meant("", 1, 2, "Vote") && meant("all", 3, 1, "Append"));
    assert!(meant("1->2 vote", 1, 2, "Vote"));
    assert!(!meant("1->2 Vote", 1, 2, "Append") && !meant("1->2", 2, 1, "Vote"));
    assert!(meant("1-> Vote,Append", 1, 9, "Append") && !meant("->2", 1, 3, "Vote"));
    assert_eq!(selection("all #2").expect("a selection").chosen(vec![4, 7, 9]), [7]);
    assert_eq!(selection("all #4").expect("a selection").chosen(vec![4, 7, 9]), [0usize; 0]);
    assert!(selection("1-2").is_err() && selection("all Vots").is_err() && selection("1->2->3").is_err());
}
