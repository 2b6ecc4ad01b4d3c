//! `synod member`: who the members of the map's group are, and leading it to others.

mod command;
#[cfg(test)]
mod tests;
mod wanted;

pub(crate) use command::MemberCommand;
