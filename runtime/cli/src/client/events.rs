//! Server-sent events, parsed line by line. Only what a gateway writes: one line of data an event.

/// What a stream of events has brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sent {
    /// The id, with which one comes back.
    pub(crate) id: Option<String>,
    /// The event's name; none for ordinary ones.
    pub(crate) name: Option<String>,
    /// The data.
    pub(crate) data: String,
}

/// An event of which some lines have come.
#[derive(Default)]
pub(crate) struct Parser {
    open: Sent,
}

impl Parser {
    /// Takes a line without its end; gives the event that it completes.
    pub(crate) fn line(&mut self, line: &str) -> Option<Sent> {
        if line.is_empty() {
            let whole = std::mem::take(&mut self.open);
            return (!whole.data.is_empty()).then_some(whole);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "id" => self.open.id = Some(value),
            "event" => self.open.name = Some(value),
            "data" => self.open.data = value,
            // Comments have an empty name; other fields are to be ignored, says the standard.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_end_with_an_empty_line_and_comments_are_none() {
        let mut parser = Parser::default();
        let lines = [": alive", "", "id: 7", "data: {}", "", "event: end", "data: {\"a\":1}", ""];
        let events: Vec<Sent> = lines.iter().filter_map(|line| parser.line(line)).collect();
        let put = Sent { id: Some("7".into()), name: None, data: "{}".into() };
        let end = Sent { id: None, name: Some("end".into()), data: "{\"a\":1}".into() };
        assert_eq!(events, [put, end]);
    }
}
