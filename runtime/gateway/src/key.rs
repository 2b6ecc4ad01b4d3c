//! Percent-encoded text of paths and queries, decoded strictly: half an escape or bytes that are no UTF-8 are refused.

use std::borrow::Cow;

use actix_web::HttpRequest;
use percent_encoding::percent_decode_str;
use synod::services::kv::{BadKey, KEY_LIMIT};

use crate::fault::Fault;

const KEY_PATH: &str = "/kv/";

/// The key that a request's path spells. It may contain slashes.
pub(crate) fn of(request: &HttpRequest) -> Result<String, Fault> {
    // Not the router's own match, which has decoded some escapes and not others.
    from_path(request.uri().path().strip_prefix(KEY_PATH).unwrap_or_default())
}

fn from_path(encoded: &str) -> Result<String, Fault> {
    // Three times the limit is the longest spelling of a key; nothing longer is decoded.
    if encoded.len() > 3 * KEY_LIMIT {
        return Err(malformed_key(&BadKey::TooLong { size: encoded.len() }));
    }
    let key = text(encoded).map_err(|reason| Fault::Malformed(format!("bad key: {reason}")))?;
    check(&key)?;
    Ok(key)
}

/// Checks the rules of keys.
fn check(key: &str) -> Result<(), Fault> {
    if key.is_empty() {
        return Err(malformed_key(&BadKey::Empty));
    }
    check_prefix(key)
}

/// Checks the rules of what keys may begin with: those of keys, and it may be empty.
pub(crate) fn check_prefix(prefix: &str) -> Result<(), Fault> {
    if prefix.len() > KEY_LIMIT {
        return Err(malformed_key(&BadKey::TooLong { size: prefix.len() }));
    }
    if prefix.chars().any(char::is_control) {
        return Err(malformed_key(&BadKey::ControlCharacter));
    }
    Ok(())
}

/// The UTF-8 text that is spelt.
pub(crate) fn text(encoded: &str) -> Result<String, &'static str> {
    String::from_utf8(bytes(encoded)?.into_owned()).map_err(|_| "it is not UTF-8")
}

/// The bytes that are spelt.
pub(crate) fn bytes(encoded: &str) -> Result<Cow<'_, [u8]>, &'static str> {
    let raw = encoded.as_bytes();
    let escape = |at: usize| raw.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit));
    let whole = raw.iter().enumerate().filter(|&(_, &byte)| byte == b'%').all(|(at, _)| escape(at));
    if whole {
        Ok(percent_decode_str(encoded).into())
    } else {
        Err("a % is not followed by two hexadecimal digits")
    }
}

fn malformed_key(rule: &BadKey) -> Fault {
    Fault::Malformed(format!("bad key: {rule}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_decoded_once() {
        assert_eq!(from_path("a/b%2Fc%20%C3%A4+%2541").unwrap(), "a/b/c ä+%41");
    }

    #[test]
    fn bad_keys_are_refused() {
        let long = "x".repeat(KEY_LIMIT + 1);
        for bad in ["", "%", "%4", "%zz", "%ff", "a%00b", "a%0Ab", &long] {
            assert!(from_path(bad).is_err(), "{bad:?}");
        }
        assert!(from_path(&"%C3%A4".repeat(KEY_LIMIT / 2)).is_ok());
    }
}
