//! A range of seeds as people write it: `A..B`, without `B`, or one seed.

use std::ops::Range;
use std::str::FromStr;

/// The seeds from the first up to, and without, the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seeds(pub(crate) Range<u64>);

impl FromStr for Seeds {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number =
            |part: &str| part.parse::<u64>().map_err(|_| format!("{part:?} is no seed: a whole number"));
        let range = match text.split_once("..") {
            Some((first, end)) => number(first)?..number(end)?,
            None => {
                let seed = number(text)?;
                seed..seed.checked_add(1).ok_or("there is no seed after the largest")?
            }
        };
        if range.is_empty() {
            return Err(format!("{text:?} has no seed in it: the end is not part of the range"));
        }
        Ok(Self(range))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_and_single_seeds_are_read_and_empty_ones_refused() {
        assert_eq!("3..5".parse(), Ok(Seeds(3..5)));
        assert_eq!("7".parse(), Ok(Seeds(7..8)));
        assert!("5..5".parse::<Seeds>().is_err_and(|error| error.contains("no seed in it")));
        assert!("x..5".parse::<Seeds>().is_err_and(|error| error.contains("\"x\"")));
    }
}
