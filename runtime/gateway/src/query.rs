//! What a request's query and headers ask for. Parsing only: an unknown or repeated parameter is refused, never ignored.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::HttpRequest;
use bytes::Bytes;
use synod::protocols::LogIndex;
use synod::services::kv::{Call, Consistency, Expect, Range};

use crate::config::Config;
use crate::fault::Fault;
use crate::key;

const IDEMPOTENCY_KEY_LIMIT: usize = 255;
const RANGE_LIMIT: usize = 1000;

/// The parameters of a query, each at most once.
pub(crate) struct Query<'a> {
    parameters: BTreeMap<&'a str, &'a str>,
}

impl<'a> Query<'a> {
    /// The request's query, if it has no parameters but these.
    pub(crate) fn of(request: &'a HttpRequest, known: &[&str]) -> Result<Self, Fault> {
        let mut parameters = BTreeMap::new();
        for part in request.query_string().split('&').filter(|part| !part.is_empty()) {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            if !known.contains(&name) {
                let known = known.join(", ");
                return Err(Fault::Malformed(format!(
                    "the parameter {name:?} does not apply here, known are: {known}"
                )));
            }
            if parameters.insert(name, value).is_some() {
                return Err(Fault::Malformed(format!("the parameter {name:?} stands twice")));
            }
        }
        Ok(Self { parameters })
    }

    /// Whether the query has the parameter.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.parameters.contains_key(name)
    }

    /// A parameter's text; a plus sign stands for a space.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        key::text(&spaced(value)).map(Some).map_err(|reason| malformed(name, reason))
    }

    /// A parameter that is a number.
    pub(crate) fn number(&self, name: &str) -> Result<Option<u64>, Fault> {
        let Some(value) = self.parameters.get(name) else { return Ok(None) };
        value.parse().map(Some).map_err(|_| malformed(name, "it is no whole number"))
    }

    /// What a read may miss.
    pub(crate) fn consistency(&self) -> Result<Consistency, Fault> {
        match self.parameters.get("consistency").copied() {
            None | Some("linearizable") => Ok(Consistency::Linearizable),
            Some("confirmed") => Ok(Consistency::Confirmed),
            Some("stale") => Ok(Consistency::Stale),
            Some(_) => Err(malformed("consistency", "use linearizable, confirmed or stale")),
        }
    }

    /// What has to hold for a write to take place.
    pub(crate) fn expect(&self) -> Result<Expect, Fault> {
        let names = ["expect", "expect_absent", "expect_index"];
        if names.iter().filter(|name| self.has(name)).count() > 1 {
            return Err(Fault::Malformed(format!("of {} only one may stand", names.join(", "))));
        }
        if let Some(value) = self.parameters.get("expect") {
            let spelt = spaced(value);
            let bytes = key::bytes(&spelt).map_err(|reason| malformed("expect", reason))?;
            return Ok(Expect::Value(Bytes::copy_from_slice(&bytes)));
        }
        if let Some(index) = self.number("expect_index")? {
            return Ok(Expect::Index(LogIndex(index)));
        }
        match self.parameters.get("expect_absent").copied() {
            None | Some("false") => Ok(Expect::Any),
            Some("true") => Ok(Expect::Absent),
            Some(_) => Err(malformed("expect_absent", "use true or false")),
        }
    }

    /// Which keys a range is for.
    pub(crate) fn range(&self) -> Result<Range, Fault> {
        let prefix = self.text("prefix")?.unwrap_or_default();
        let after = self.text("after")?;
        for text in [Some(&prefix), after.as_ref()].into_iter().flatten() {
            key::check_prefix(text)?;
        }
        let limit = match self.number("limit")? {
            None => RANGE_LIMIT,
            Some(0) => return Err(malformed("limit", "it is at least 1")),
            Some(limit) => usize::try_from(limit).unwrap_or(RANGE_LIMIT).min(RANGE_LIMIT),
        };
        Ok(Range { prefix, after, limit })
    }

    /// How long the request may take: its parameter or header, or the default.
    pub(crate) fn timeout(&self, request: &HttpRequest, config: &Config) -> Result<Duration, Fault> {
        let header = request.headers().get("Synod-Timeout-Ms");
        let header = header.map(|value| value.to_str().ok().and_then(|text| text.parse().ok()));
        let asked = match (self.number("timeout_ms")?, header) {
            (Some(asked), _) | (None, Some(Some(asked))) => asked,
            (None, Some(None)) => return Err(malformed("Synod-Timeout-Ms", "it is no whole number")),
            (None, None) => return Ok(config.timeout),
        };
        if asked == 0 {
            return Err(malformed("timeout_ms", "it is at least 1"));
        }
        Ok(Duration::from_millis(asked).min(config.timeout_max))
    }
}

/// How a write is made: its idempotency key and its deadline.
pub(crate) fn call(request: &HttpRequest, query: &Query<'_>, config: &Config) -> Result<Call, Fault> {
    let idempotency_key = request.headers().get("Idempotency-Key").map(|value| {
        let text = value.to_str().ok().filter(|text| !text.is_empty() && text.len() <= IDEMPOTENCY_KEY_LIMIT);
        text.map(str::to_owned)
            .ok_or_else(|| malformed("Idempotency-Key", "it is 1 to 255 printable ASCII characters"))
    });
    let deadline = query.timeout(request, config)?;
    Ok(Call { session: None, idempotency_key: idempotency_key.transpose()?, deadline })
}

fn spaced(value: &str) -> Cow<'_, str> {
    if value.contains('+') { Cow::Owned(value.replace('+', " ")) } else { Cow::Borrowed(value) }
}

/// A parameter or header that breaks a rule.
pub(crate) fn malformed(name: &str, rule: &str) -> Fault {
    Fault::Malformed(format!("bad {name}: {rule}"))
}
