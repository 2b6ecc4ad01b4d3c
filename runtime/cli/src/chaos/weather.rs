//! What happens to datagrams on the way from one node to another. Decides for each, and sends none.

use std::time::Duration;

use synod::protocols::prng::Prng;

/// The conditions in one direction between two nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Weather {
    /// Nothing arrives.
    pub(super) cut: bool,
    /// How likely a datagram gets lost.
    pub(super) loss: f64,
    /// How long a datagram takes at least.
    pub(super) delay: Duration,
    /// How much longer it may take.
    pub(super) jitter: Duration,
}

/// What becomes of a datagram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It goes on at once.
    Passes,
    /// It goes on after this.
    Late(Duration),
    /// It is lost because the way is cut.
    Cut,
    /// It is lost by chance.
    Lost,
}

impl Weather {
    /// What becomes of the next datagram.
    pub(super) fn fate(&self, prng: &mut Prng) -> Fate {
        if self.cut {
            return Fate::Cut;
        }
        if prng.chance(self.loss) {
            return Fate::Lost;
        }
        let late = self.delay + prng.duration(Duration::ZERO, self.jitter);
        if late.is_zero() { Fate::Passes } else { Fate::Late(late) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fair_weather_lets_everything_pass_and_a_cut_nothing() {
        let mut prng = Prng::new(1);
        let cut = Weather { cut: true, ..Weather::default() };
        for _ in 0..1000 {
            assert_eq!(Weather::default().fate(&mut prng), Fate::Passes);
            assert_eq!(cut.fate(&mut prng), Fate::Cut);
        }
    }

    #[test]
    fn loss_and_delay_are_as_asked_for() {
        let mut prng = Prng::new(2);
        let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(30));
        let weather = Weather { cut: false, loss: 0.25, delay, jitter };
        let mut lost = 0;
        for _ in 0..10_000 {
            match weather.fate(&mut prng) {
                Fate::Lost => lost += 1,
                Fate::Late(late) => assert!((delay..=delay + jitter).contains(&late), "{late:?}"),
                fate => panic!("{fate:?}"),
            }
        }
        assert!((2_300..2_700).contains(&lost), "{lost} of 10,000");
    }
}
