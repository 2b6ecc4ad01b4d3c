//! A script from its text to the verdict: what came out of each block, and whether it is what was expected.

use std::fmt;

use crate::sim::scenario::deed::Order;
use crate::sim::scenario::dialect::Dialect;
use crate::sim::scenario::misread::{Fault, Misread};
use crate::sim::scenario::script::Script;
use crate::sim::scenario::stage::Stage;
use crate::sim::violation::Violation;

/// A block whose output is not the expected one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The line of the block's rule `----`, counted from 1.
    pub line: usize,
    /// The block's commands.
    pub commands: Vec<String>,
    /// What the script expects.
    pub expected: Vec<String>,
    /// What came.
    pub found: Vec<String>,
}

/// A script that was played to its end.
#[derive(Clone, Debug)]
pub struct Played {
    /// How many blocks it has.
    pub blocks: usize,
    /// The blocks whose output was not the expected one.
    pub differences: Vec<Difference>,
    /// The first rule of the protocol that was broken, and the line of the block in which it was.
    pub broken: Option<(usize, Violation)>,
    /// The script with the output that came.
    pub text: String,
}

impl Played {
    /// Whether everything came as expected and no rule was broken.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.differences.is_empty() && self.broken.is_none()
    }
}

/// Plays a script.
///
/// # Errors
/// A command cannot be understood or cannot be done; the line is named.
pub fn play<P: Dialect>(text: &str) -> Result<Played, Fault> {
    let script = Script::parse(text)?;
    let orders = script.blocks().map(|block| {
        let parsed = block.commands.iter().map(|&(line, command)| {
            let order = Order::<P>::parse(command).map_err(|reason| Fault { line, reason })?;
            Ok((line, order))
        });
        parsed.collect::<Result<Vec<_>, Fault>>()
    });
    let orders = orders.collect::<Result<Vec<_>, Fault>>()?;
    let mut stage = Stage::<P>::default();
    let (mut outputs, mut differences, mut broken) = (Vec::new(), Vec::new(), None);
    for (block, orders) in script.blocks().zip(orders) {
        for (line, order) in orders {
            stage.perform(order).map_err(|reason: Misread| Fault { line, reason })?;
        }
        let found = stage.story.take();
        if block.expected.iter().map(|line| line.trim_end()).ne(found.iter().map(|line| line.trim_end())) {
            differences.push(Difference {
                line: block.rule,
                commands: block.commands.iter().map(|(_, command)| (*command).to_owned()).collect(),
                expected: block.expected.iter().map(|&line| line.to_owned()).collect(),
                found: found.clone(),
            });
        }
        outputs.push(found);
        broken = broken.or_else(|| stage.broken.clone().map(|violation| (block.rule, violation)));
    }
    Ok(Played { blocks: outputs.len(), differences, broken, text: script.rewritten(&outputs) })
}

impl fmt::Display for Difference {
    /// The commands, and the two outputs with what they share told once.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let same = self.expected.iter().zip(&self.found).take_while(|(a, b)| a == b).count();
        let rest = self.expected.len().min(self.found.len()) - same;
        let ends = self.expected.iter().rev().zip(self.found.iter().rev());
        let tail = ends.take(rest).take_while(|(a, b)| a == b).count();
        for command in &self.commands {
            writeln!(f, "  {command}")?;
        }
        writeln!(f, "  ----")?;
        for line in &self.found[..same] {
            writeln!(f, "  {line}")?;
        }
        for line in &self.expected[same..self.expected.len() - tail] {
            writeln!(f, "- {line}")?;
        }
        for line in &self.found[same..self.found.len() - tail] {
            writeln!(f, "+ {line}")?;
        }
        for line in &self.found[self.found.len() - tail..] {
            writeln!(f, "  {line}")?;
        }
        Ok(())
    }
}
