//! `synod scenario`: plays scenario scripts and compares what comes with what they expect.

mod command;

pub(crate) use command::ScenarioCommand;
