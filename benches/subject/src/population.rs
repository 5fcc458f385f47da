//! The sessions that there are, by number.

use std::time::{Duration, SystemTime};

/// The sessions of a store: `sessions` that were there before anything is measured, ten a user and a
/// fifth of them expired, and those that are created later.
#[derive(Clone, Copy, Debug)]
pub struct Population {
    sessions: u64,
    begin: SystemTime,
}

/// What a store is to keep of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "the parts of a benchmark are built together"
)]
pub struct Entry {
    /// The session's number, of which its id is made.
    pub number: u64,
    /// Its owner, 13 bytes.
    pub user: String,
    /// When it was created.
    pub created_at: SystemTime,
    /// When it expires.
    pub expires_at: SystemTime,
    /// The client's address.
    pub ip: std::net::Ipv4Addr,
    /// The client's operating system.
    pub os: &'static str,
    /// The client's browser.
    pub browser: &'static str,
    /// One entry of the application's: name and value.
    pub meta: (&'static str, &'static str),
}

const HOUR: Duration = Duration::from_secs(3_600);
const MONTH: Duration = Duration::from_secs(30 * 24 * 3_600);
/// How many are in use at a time.
const IN_USE: u64 = 10_000;
/// Where the numbers begin of those who come only to leave.
const LEAVERS: u64 = 1_000_000_000_000;

/// Where the numbers of the account with very many sessions begin.
const CROWD_BEGINS: u64 = LEAVERS * 4;
/// The account with very many sessions: no other user has a name with a letter.
pub(crate) const CROWD: &str = "the-one-crowd";

impl Population {
    /// So many sessions, those of them expired that are to be at this time.
    #[must_use]
    pub fn new(sessions: u64, begin: SystemTime) -> Self {
        Self { sessions, begin }
    }

    /// How many there were before anything was measured.
    #[must_use]
    pub fn sessions(&self) -> u64 {
        self.sessions
    }

    /// A session of this number.
    #[must_use]
    pub fn entry(&self, number: u64) -> Entry {
        // A thousand came a second, and what is created from now on comes after them.
        let age = HOUR + Duration::from_millis(self.sessions);
        let created_at = self.begin - age + Duration::from_millis(number % LEAVERS);
        let created_at = match self.is_expired(number) {
            true => created_at - MONTH,
            false => created_at,
        };
        let octets = mixed(number).to_be_bytes();
        Entry {
            number,
            user: self.user_of(number),
            created_at,
            expires_at: created_at + MONTH,
            ip: std::net::Ipv4Addr::new(10, octets[0], octets[1], octets[2]),
            os: "Linux",
            browser: "Firefox 145",
            meta: ("permission", "write"),
        }
    }

    /// A user of those who were there before.
    #[must_use]
    pub fn user(&self, random: &mut fastrand::Rng) -> String {
        name(random.u64(..self.users()))
    }

    /// A user who has ten sessions and is there only to leave, and those sessions.
    #[must_use]
    pub fn leaver(&self, number: u64) -> (String, Vec<Entry>) {
        let numbers = (0..10).map(|nth| LEAVERS + number * 10 + nth);
        let user = self.user_of(LEAVERS + number * 10);
        (user, numbers.map(|number| self.entry(number)).collect())
    }

    /// A live session of the one account with very many sessions.
    #[must_use]
    pub fn crowd(&self, nth: u64) -> Entry {
        Entry {
            user: CROWD.to_owned(),
            ..self.entry(CROWD_BEGINS + nth)
        }
    }

    /// A live session of those that are in use.
    #[must_use]
    pub fn in_use(&self, random: &mut fastrand::Rng) -> u64 {
        let in_use = IN_USE.min(self.sessions);
        self.live(random, self.sessions - in_use..self.sessions)
    }

    /// A live session of all.
    #[must_use]
    pub fn any(&self, random: &mut fastrand::Rng) -> u64 {
        self.live(random, 0..self.sessions)
    }

    /// A number that no session has.
    #[must_use]
    pub fn missing(&self, random: &mut fastrand::Rng) -> u64 {
        random.u64(LEAVERS * 2..LEAVERS * 3)
    }

    fn live(&self, random: &mut fastrand::Rng, among: std::ops::Range<u64>) -> u64 {
        loop {
            let number = random.u64(among.clone());
            if !self.is_expired(number) {
                return number;
            }
        }
    }

    fn is_expired(&self, number: u64) -> bool {
        number < self.sessions && mixed(number).is_multiple_of(5)
    }

    fn users(&self) -> u64 {
        (self.sessions / 10).max(1)
    }

    fn user_of(&self, number: u64) -> String {
        match number {
            LEAVERS.. => name(number / 10),
            number => name(number % self.users()),
        }
    }
}

/// Names that do not sort as their owners came.
fn name(user: u64) -> String {
    format!("{:013}", mixed(user) % 10_000_000_000_000)
}

/// Well-distributed bits of a number (the finalizer of SplitMix64).
#[must_use]
pub(crate) fn mixed(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

impl Entry {
    /// 16 bytes that are this session's alone and tell nothing of when it was made.
    #[must_use]
    pub fn random_id(number: u64) -> [u8; 16] {
        let mut id = [0; 16];
        let (high, low) = id.split_at_mut(8);
        high.copy_from_slice(&mixed(number).to_be_bytes());
        low.copy_from_slice(&mixed(!number).to_be_bytes());
        id
    }

    /// 16 bytes that are this session's alone, in the order of numbers, as UUIDs of version 7 are: a
    /// thousand a second.
    #[must_use]
    pub fn ordered_id(number: u64) -> [u8; 16] {
        let mut id = Self::random_id(number);
        let millis = 1_700_000_000_000 + number;
        for (to, from) in id.iter_mut().zip(millis.to_be_bytes().into_iter().skip(2)) {
            *to = from;
        }
        id[6] = id[6] & 0x0f | 0x70;
        id[8] = id[8] & 0x3f | 0x80;
        id
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{HashMap, HashSet};

    use super::*;

    const NOW: SystemTime = SystemTime::UNIX_EPOCH;

    #[test]
    fn users_have_ten_sessions_and_a_fifth_is_expired() {
        let population = Population::new(10_000, NOW);
        let entries: Vec<Entry> = (0..10_000).map(|it| population.entry(it)).collect();
        let mut users: HashMap<&str, usize> = HashMap::new();
        for entry in &entries {
            *users.entry(&entry.user).or_default() += 1;
        }
        assert_eq!(users.len(), 1_000);
        assert!(
            users
                .iter()
                .all(|(user, count)| user.len() == 13 && *count == 10)
        );

        let expired = entries.iter().filter(|entry| entry.expires_at <= NOW);
        let expired = expired.count();
        assert!((1_900..2_100).contains(&expired), "{expired}");
        assert!(
            entries
                .iter()
                .all(|entry| entry.created_at < entry.expires_at)
        );
    }

    #[test]
    fn ids_are_of_one_number_and_in_order_where_they_say_so() {
        let ordered: Vec<_> = (0..1_000).map(Entry::ordered_id).collect();
        assert!(ordered.is_sorted_by(|a, b| a < b));
        let random: HashSet<_> = (0..1_000).map(Entry::random_id).collect();
        assert_eq!(random.len(), 1_000);
    }

    #[test]
    fn what_is_picked_is_live_and_what_is_missing_was_never_made() {
        let population = Population::new(20_000, NOW);
        let mut random = fastrand::Rng::with_seed(1);

        for _ in 0..1_000 {
            let (any, in_use) = (population.any(&mut random), population.in_use(&mut random));
            assert!(population.entry(any).expires_at > NOW);
            assert!(population.entry(in_use).expires_at > NOW);
            assert!((10_000..20_000).contains(&in_use));
            assert!(population.missing(&mut random) >= LEAVERS * 2);
        }
    }

    #[test]
    fn leavers_are_nobody_else() {
        let population = Population::new(100, NOW);
        let (user, sessions) = population.leaver(3);
        assert_eq!(sessions.len(), 10);
        assert!(sessions.iter().all(|entry| entry.user == user));
        let others: HashSet<_> = (0..100).map(|it| population.entry(it).user).collect();
        assert!(!others.contains(&user));
        assert_ne!(population.leaver(4).0, user);
    }

    #[test]
    fn numbers_make_the_sessions_that_they_make_in_go() {
        let population = Population::new(1_000, at(2_000_000_000));
        let numbers = [0, 1, 2, 3, 4, 5, 600, 999, 1_000, 1_234_567, LEAVERS + 37];
        let made = numbers.map(|number| told(&population.entry(number)));
        let (leaver, theirs) = population.leaver(3);
        assert_eq!((&leaver, theirs[7].number), (&theirs[7].user, numbers[10]));

        // benches/go is held to the same file.
        let kept: serde_json::Value =
            serde_json::from_str(include_str!("../../population.json")).unwrap();
        let made = serde_json::Value::from_iter(made);
        assert!(kept == made, "population.json would be {made:#}");
    }

    fn at(second: u64) -> SystemTime {
        NOW + Duration::from_secs(second)
    }

    fn told(entry: &Entry) -> serde_json::Value {
        let micros = |time: SystemTime| time.duration_since(NOW).unwrap().as_micros().to_string();
        let id = u128::from_be_bytes(Entry::random_id(entry.number));
        serde_json::json!({
            "number": entry.number,
            "random_id": format!("{id:032x}"),
            "user": entry.user,
            "created_micros": micros(entry.created_at),
            "expires_micros": micros(entry.expires_at),
            "ip": entry.ip,
            "os": entry.os,
            "browser": entry.browser,
            "meta": [entry.meta.0, entry.meta.1],
        })
    }
}
