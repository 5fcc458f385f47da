//! How often passwords may be tried (ASVS 5.0 6.3.1): a rule without clock and without I/O.
//!
//! Every try is taken from two allowances: that of the network it comes from, and that of the account.
//! A right password gives them back. Somebody who guesses at an account uses up the allowance of the
//! account, and could lock its user out by that; so a try has another one in its place
//!
//! - in a browser that is logged in to the account: that of its session,
//! - from a network in which the account is logged in: that of the account in this network.
//!
//! What is left is that a user who is being attacked cannot log in from a new place while that lasts.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use sessionup::SessionId;

/// Whose tries are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject<'a> {
    /// All who try the password of an account, be there one or not.
    Account(&'a str),
    /// Those of them who come from a network in which the account is logged in.
    AccountIn(&'a str, Network),
    /// Whoever comes from a network, for any account.
    Network(Network),
    /// A session of the account.
    Session(SessionId),
}

impl Subject<'_> {
    const fn allowance(self) -> Allowance {
        match self {
            Self::Account(_) | Self::AccountIn(..) | Self::Session(_) => Allowance::ACCOUNT,
            Self::Network(_) => Allowance::NETWORK,
        }
    }
}

/// What one subscriber usually has of the internet: an IPv4 address, or 64 bits of an IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Network(Option<IpAddr>);

impl Network {
    /// Returns the network of an address. All whose address is not known share one.
    pub(crate) fn of(address: Option<IpAddr>) -> Self {
        const FIRST_64_BITS: u128 = !(u64::MAX as u128);
        Self(address.map(|address| match address.to_canonical() {
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & FIRST_64_BITS).into(),
            address @ IpAddr::V4(_) => address,
        }))
    }
}

/// How many tries there are at once, and in what time one more comes.
#[derive(Clone, Copy, Debug)]
struct Allowance {
    at_once: u32,
    refill: Duration,
}

impl Allowance {
    /// Some 300 guesses a day.
    const ACCOUNT: Self = Self {
        at_once: 10,
        refill: Duration::from_secs(5 * 60),
    };
    /// Many users may share an address.
    const NETWORK: Self = Self {
        at_once: 30,
        refill: Duration::from_secs(10),
    };

    const fn whole(self) -> Duration {
        self.refill.saturating_mul(self.at_once)
    }
}

/// What was tried of late.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    /// When the allowance of a subject is whole again. Subjects are known by a hash with a random key,
    /// for names may be long.
    whole_at: HashMap<u64, Duration>,
    hasher: RandomState,
}

impl Tries {
    /// Most subjects that are remembered. Beyond, the one that has used the least is forgotten.
    const MAX_SUBJECTS: usize = 65_536;

    /// Takes a try from the allowance of each subject, or from none. The time is that since any
    /// moment, always the same.
    ///
    /// # Errors
    ///
    /// The time until there is one.
    pub(crate) fn take(&mut self, subjects: &[Subject<'_>], now: Duration) -> Result<(), Duration> {
        let waits = subjects.iter().map(|subject| self.wait(*subject, now));
        let wait = waits.max().unwrap_or_default();
        if !wait.is_zero() {
            return Err(wait);
        }
        for subject in subjects {
            let used = self.used(*subject, now) + subject.allowance().refill;
            self.set(*subject, used, now);
        }
        Ok(())
    }

    /// Returns how long it takes until a subject has a try; zero if it has one.
    pub(crate) fn wait(&self, subject: Subject<'_>, now: Duration) -> Duration {
        let after = self.used(subject, now) + subject.allowance().refill;
        after.saturating_sub(subject.allowance().whole())
    }

    /// Gives a try back that was no guess.
    pub(crate) fn give_back(&mut self, subjects: &[Subject<'_>], now: Duration) {
        for subject in subjects {
            let used = self.used(*subject, now);
            let used = used.saturating_sub(subject.allowance().refill);
            self.set(*subject, used, now);
        }
    }

    /// Returns how long it takes until the allowance is whole.
    fn used(&self, subject: Subject<'_>, now: Duration) -> Duration {
        let whole_at = self.whole_at.get(&self.hasher.hash_one(subject));
        whole_at.map_or(Duration::ZERO, |at| at.saturating_sub(now))
    }

    fn set(&mut self, subject: Subject<'_>, used: Duration, now: Duration) {
        let key = self.hasher.hash_one(subject);
        if used.is_zero() {
            self.whole_at.remove(&key);
            return;
        }
        if self.whole_at.len() >= Self::MAX_SUBJECTS && !self.whole_at.contains_key(&key) {
            self.forget(now);
        }
        self.whole_at.insert(key, now.saturating_add(used));
    }

    /// Forgets those whose allowance is whole, or else the one that is closest to it.
    fn forget(&mut self, now: Duration) {
        self.whole_at.retain(|_, at| *at > now);
        if self.whole_at.len() >= Self::MAX_SUBJECTS {
            let first = self.whole_at.iter().min_by_key(|(_, at)| **at);
            if let Some(key) = first.map(|(key, _)| *key) {
                self.whole_at.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANN: Subject<'_> = Subject::Account("ann");
    const BOB: Subject<'_> = Subject::Account("bob");
    const REFILL: Duration = Allowance::ACCOUNT.refill;
    const SECOND: Duration = Duration::from_secs(1);

    fn network(address: &str) -> Subject<'static> {
        Subject::Network(Network::of(Some(address.parse().unwrap())))
    }

    /// Takes as many as there are.
    fn exhaust(tries: &mut Tries, subjects: &[Subject<'_>], now: Duration) -> u32 {
        let taken = (0..1_000).take_while(|_| tries.take(subjects, now).is_ok());
        taken.count().try_into().unwrap()
    }

    #[test]
    fn take_beyond_the_allowance_is_refused() {
        let mut tries = Tries::default();
        assert_eq!(exhaust(&mut tries, &[ANN], SECOND), 10);
        assert_eq!(tries.take(&[ANN], SECOND), Err(REFILL));
        assert_eq!(tries.take(&[ANN], SECOND + SECOND), Err(REFILL - SECOND));
        assert_eq!(tries.take(&[BOB], SECOND), Ok(()));
        assert_eq!(exhaust(&mut tries, &[network("192.0.2.1")], SECOND), 30);
    }

    #[test]
    fn take_after_a_while_is_granted() {
        let mut tries = Tries::default();
        exhaust(&mut tries, &[ANN], SECOND);
        let now = SECOND + REFILL;
        assert_eq!(exhaust(&mut tries, &[ANN], now), 1);
        let now = now + REFILL * 3;
        assert_eq!(exhaust(&mut tries, &[ANN], now), 3);
        assert_eq!(exhaust(&mut tries, &[ANN], now + REFILL * 1_000), 10);
    }

    #[test]
    fn take_of_several_is_all_or_nothing() {
        let mut tries = Tries::default();
        exhaust(&mut tries, &[ANN], SECOND);
        let here = network("192.0.2.1");
        for _ in 0..100 {
            assert_eq!(tries.take(&[here, ANN], SECOND), Err(REFILL));
        }
        assert_eq!(exhaust(&mut tries, &[here, BOB], SECOND), 10);
        assert_eq!(exhaust(&mut tries, &[here], SECOND), 20);
        let longest = tries.take(&[here, ANN], SECOND);
        assert_eq!(longest, Err(REFILL), "the longer wait of the two");
    }

    #[test]
    fn give_back_restores_one_try() {
        let mut tries = Tries::default();
        exhaust(&mut tries, &[ANN], SECOND);
        tries.give_back(&[ANN], SECOND);
        assert_eq!(exhaust(&mut tries, &[ANN], SECOND), 1);
        tries.give_back(&[BOB], SECOND);
        assert_eq!(exhaust(&mut tries, &[BOB], SECOND), 10, "and no more");
    }

    #[test]
    fn subjects_are_counted_apart() {
        let mut tries = Tries::default();
        let here = Network::of(Some("192.0.2.1".parse().unwrap()));
        let there = Network::of(Some("192.0.2.2".parse().unwrap()));
        let session: SessionId = "019ab3f0-7c00-7000-8000-0000000000ab".parse().unwrap();
        for subject in [
            ANN,
            BOB,
            Subject::AccountIn("ann", here),
            Subject::AccountIn("ann", there),
            Subject::AccountIn("bob", here),
            Subject::Session(session),
        ] {
            assert_eq!(exhaust(&mut tries, &[subject], SECOND), 10, "{subject:?}");
        }
        for subject in [here, there, Network::of(None)].map(Subject::Network) {
            assert_eq!(exhaust(&mut tries, &[subject], SECOND), 30, "{subject:?}");
        }
    }

    #[test]
    fn networks_of_addresses() {
        let same = [
            ("192.0.2.1", "::ffff:192.0.2.1"),
            ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff"),
        ];
        for (one, other) in same {
            assert_eq!(network(one), network(other), "{one} {other}");
        }
        let different = [
            ("192.0.2.1", "192.0.2.2"),
            ("2001:db8:0:1::1", "2001:db8:0:2::1"),
        ];
        for (one, other) in different {
            assert_ne!(network(one), network(other), "{one} {other}");
        }
    }

    #[test]
    fn take_by_very_many_stays_bounded() {
        let mut tries = Tries::default();
        exhaust(&mut tries, &[ANN], SECOND);
        for number in 0..Tries::MAX_SUBJECTS + 3 {
            let name = number.to_string();
            tries.take(&[Subject::Account(&name)], SECOND).unwrap();
        }
        assert_eq!(tries.whole_at.len(), Tries::MAX_SUBJECTS);
        let ann = tries.take(&[ANN], SECOND);
        assert_eq!(ann, Err(REFILL), "who used most is remembered");

        tries.take(&[BOB], SECOND + REFILL * 20).unwrap();
        assert_eq!(tries.whole_at.len(), 1, "whose allowance is whole is not");
    }
}
