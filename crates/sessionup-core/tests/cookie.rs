//! The cookie that is sent, whatever is asked of it: every combination, every byte, every length.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::time::Duration;

use corpus::Settings;
use corpus::properties::config::check;
use proptest::prelude::*;
use sessionup_core::{
    ConfigError, CookieError, Manager, ManualClock, MemoryStore, Peer, SameSite, Timestamp,
};

/// RFC 6265bis, its successor for `Http-` and CHIPS stand in [`check`], written anew.
#[test]
fn every_combination_is_refused_or_sent_as_asked() {
    let names = [
        None,
        Some("id"),
        Some("__Host-id"),
        Some("__host-ID"),
        Some("__HOST-id"),
        Some("__Secure-id"),
        Some("__SECURE-id"),
        Some("__Http-id"),
        Some("__http-id"),
        Some("__Host-Http-id"),
        Some("__hOST-hTTP-id"),
        Some("__Host-"),
        Some("x__Host-id"),
        Some("__Hos-t"),
        Some(""),
    ];
    let paths = [None, Some("/"), Some("/app")];
    let (mut accepted, mut refused) = (0, 0);
    for name in names {
        for path in paths {
            for bits in 0..16_u8 {
                for same_site in [SameSite::Strict, SameSite::Lax, SameSite::None] {
                    let bit = |n: u8| bits & (1 << n) != 0;
                    let settings = Settings {
                        cookie_name: name.map(Into::into),
                        path: path.map(Into::into),
                        domain: bit(0).then(|| "example.org".into()),
                        insecure_http: bit(1),
                        insecure_script_access: bit(2),
                        partitioned: bit(3),
                        same_site,
                        ..Settings::default()
                    };
                    match check(&settings) {
                        Ok(()) => accepted += 1,
                        Err(_) => refused += 1,
                    }
                }
            }
        }
    }
    println!("{accepted} combinations accepted, {refused} refused");
    assert_eq!(accepted + refused, 15 * 3 * 16 * 3);
    assert!(accepted > 100 && refused > 100);
}

/// Each byte as the character of that number, which covers ASCII and what two bytes of UTF-8 hold;
/// text of Rust has no other bytes.
#[test]
fn every_byte_in_an_option_is_refused_or_sent_as_it_is() {
    let mut accepted = [0; 3];
    for byte in 0..=255_u8 {
        for text in texts_with(char::from(byte)) {
            let id = || Some("id".into());
            let all = [
                Settings {
                    cookie_name: Some(text.clone()),
                    ..Settings::default()
                },
                Settings {
                    cookie_name: id(),
                    path: Some(format!("/{text}")),
                    ..Settings::default()
                },
                Settings {
                    cookie_name: id(),
                    domain: Some(text.clone()),
                    ..Settings::default()
                },
            ];
            for (count, settings) in accepted.iter_mut().zip(all) {
                *count += i32::from(check(&settings).is_ok());
            }
        }
    }
    // 77 characters of tokens; 93 visible ones but `;`; letters and digits, in the middle hyphen
    // and dot, and alone or at the end no digit.
    println!("accepted: names, paths, domains: {accepted:?}");
    assert_eq!(accepted[0], 4 * 77);
    assert_eq!(accepted[1], 4 * 93);
    assert_eq!(accepted[2], 4 * 62 + 2 - 10);
}

fn texts_with(c: char) -> [String; 4] {
    [
        c.to_string(),
        format!("{c}a"),
        format!("a{c}b"),
        format!("a{c}"),
    ]
}

#[test]
fn first_character_of_a_path_is_a_slash() {
    for byte in (0..=255_u8).filter(|byte| *byte != b'/') {
        let settings = Settings {
            cookie_name: Some("id".into()),
            path: Some(char::from(byte).to_string()),
            ..Settings::default()
        };
        let error = check(&settings).unwrap_err();
        assert!(
            matches!(error, ConfigError::Cookie(CookieError::Path { .. })),
            "{byte}"
        );
    }
}

#[test]
fn name_and_value_have_4096_bytes_together_at_most() {
    for (bytes, is_possible) in [(4096, true), (4097, false)] {
        let settings = Settings {
            cookie_name: Some("n".repeat(bytes - 64)),
            ..Settings::default()
        };
        assert_eq!(check(&settings).is_ok(), is_possible, "{bytes}");
    }
}

/// The `Max-Age` of a login at this time, with sessions of this length.
fn max_age(now: i64, expires_in: Duration) -> Option<u64> {
    let builder = evidence::watch(Manager::builder(MemoryStore::new())).expires_in(expires_in);
    let clock = ManualClock::at(Timestamp::from_millis(now));
    let manager = builder.clock(clock).build().ok()?;
    let sessions = manager.sessions([], Peer::default());
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.build().unwrap();
    runtime
        .block_on(async { sessions.init("ann").await })
        .unwrap();
    let cookie = sessions.response_cookie().unwrap();
    let age = cookie
        .expose()
        .split("; ")
        .find_map(|part| part.strip_prefix("Max-Age="));
    Some(age.unwrap().parse().unwrap())
}

proptest! {
    // A failure is printed with its values; no file is kept.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(512) })]

    #[test]
    fn max_age_is_what_was_asked_for_up_to_400_days(
        seconds in prop_oneof![any::<u64>(), 1..100_000_000_u64, 34_559_999..34_560_002_u64],
        nanos in 0..1_000_000_000_u32,
    ) {
        let age = max_age(1_795_286_345_981, Duration::new(seconds, nanos));
        if seconds > 0 || nanos >= 1_000_000 {
            prop_assert_eq!(age, Some(seconds.min(34_560_000)));
        } else {
            prop_assert_eq!(age, None);
        }
    }

    #[test]
    fn no_clock_and_no_length_make_an_age_out_of_bounds(
        now in any::<i64>(),
        seconds in any::<u64>(),
        nanos in 0..1_000_000_000_u32,
    ) {
        let age = max_age(now, Duration::new(seconds, nanos));
        prop_assert!(age.is_none_or(|age| age <= 34_560_000), "{:?}", age);
    }
}
