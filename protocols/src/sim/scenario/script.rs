//! A script as text: blocks of commands, a line `----` and the output, with remarks between them.
//!
//! Says nothing about what a command means.

use crate::sim::scenario::misread::{Fault, Misread};

const RULE: &str = "----";

/// Commands and the output they are to give together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    /// Each with its line, counted from 1.
    pub(super) commands: Vec<(usize, &'a str)>,
    /// The line of the rule.
    pub(super) rule: usize,
    pub(super) expected: Vec<&'a str>,
}

#[derive(Clone, Debug)]
enum Piece<'a> {
    /// A remark or an empty line, kept as it is.
    Remark(&'a str),
    Block(Block<'a>),
}

/// A whole script.
#[derive(Clone, Debug)]
pub(super) struct Script<'a> {
    pieces: Vec<Piece<'a>>,
}

impl<'a> Script<'a> {
    /// Takes a text apart.
    pub(super) fn parse(text: &'a str) -> Result<Self, Fault> {
        let mut pieces = Vec::new();
        let mut commands: Vec<(usize, &str)> = Vec::new();
        let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line));
        while let Some((at, line)) = lines.next() {
            if line.trim_end() == RULE {
                if commands.is_empty() {
                    return Err(Fault { line: at, reason: Misread::NoCommand });
                }
                let output = lines.by_ref().map(|(_, line)| line).take_while(|line| !line.trim().is_empty());
                let block =
                    Block { commands: std::mem::take(&mut commands), rule: at, expected: output.collect() };
                pieces.push(Piece::Block(block));
                pieces.push(Piece::Remark(""));
            } else if line.trim().is_empty() || line.trim_start().starts_with('#') {
                if let Some(&(line, _)) = commands.first() {
                    return Err(Fault { line, reason: Misread::NoOutput });
                }
                pieces.push(Piece::Remark(line));
            } else {
                commands.push((at, line));
            }
        }
        match commands.first() {
            Some(&(line, _)) => Err(Fault { line, reason: Misread::NoOutput }),
            None => Ok(Self { pieces }),
        }
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block<'a>> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(block) => Some(block),
            Piece::Remark(_) => None,
        })
    }

    /// The text with these outputs in the place of the expected ones, one for each block.
    pub(super) fn rewritten(&self, outputs: &[Vec<String>]) -> String {
        let mut text = String::new();
        let mut outputs = outputs.iter();
        let mut add = |line: &str| {
            text.push_str(line.trim_end());
            text.push('\n');
        };
        for piece in &self.pieces {
            match piece {
                Piece::Remark(line) => add(line),
                Piece::Block(block) => {
                    block.commands.iter().for_each(|(_, command)| add(command));
                    add(RULE);
                    outputs.next().into_iter().flatten().for_each(|line| add(line));
                }
            }
        }
        let end = text.trim_end().len();
        text.truncate(end);
        text.push('\n');
        text
    }
}
