use std::time::Duration;

use sessionup_core::Client;

use super::*;

const NOW: Timestamp = Timestamp::from_millis(1_795_372_745_981);
const DAY: Duration = Duration::from_secs(86_400);

fn session(number: u8, user: &str, agent: Agent) -> Session {
    let created = NOW.saturating_sub(3 * DAY);
    let user = UserKey::new(user).unwrap();
    let id = SessionId::from_bytes([number; 16]);
    let mut session = Session::new(id, user, created, NOW.saturating_add(11 * DAY));
    session.last_seen_at = NOW.saturating_sub(Duration::from_secs(300));
    session.client = Client::new("192.0.2.17".parse().ok(), agent);
    session
}

fn sessions() -> Vec<Session> {
    let mut firefox = Agent::new("Linux", "Firefox");
    firefox.version = Some(140);
    firefox.kind = DeviceKind::Desktop;
    let mut ended = session(2, "\u{202e}nna\u{1b}[2J", Agent::default());
    ended.idle_timeout = Some(Duration::from_secs(60));
    ended.client.ip = "2001:db8::a:1:2:3".parse().ok();
    let mut wide = session(
        3,
        "\u{5f20}\u{4f1f}@example.org",
        Agent::new("\u{9b}31m", ""),
    );
    wide.client.ip = None;
    wide.meta.insert("role\u{7}", "writer\u{202e}").unwrap();
    wide.meta.insert("visits", 3).unwrap();
    vec![session(1, "ann", firefox), ended, wide]
}

#[test]
fn lists_at_the_widths_of_terminals() {
    let mut shown = String::new();
    for width in [Some(40), Some(80), Some(100), Some(140), None] {
        for with_user in [true, false] {
            let title = width.map_or("no terminal".into(), |width| format!("{width} columns"));
            let table = SessionTable::of(&sessions(), with_user, true, NOW, width);
            let (titles, rows) = (table.titles(), table.rows(&sessions()));
            shown.push_str(&format!("{title}\n{titles}{rows}\n"));
        }
    }
    insta::assert_snapshot!(shown);
}

#[test]
fn all_that_is_known_of_a_session() {
    let pages = sessions();
    let pages = pages.iter().map(|session| page(session, NOW));
    insta::assert_snapshot!(pages.collect::<Vec<_>>().join("\n"));
}

#[test]
fn sessions_in_json() {
    let views = sessions();
    let views = views.iter().map(|session| SessionView::of(session, NOW));
    let mut written = Vec::new();
    output::write_json(&views.collect::<Vec<_>>(), &mut written).unwrap();
    insta::assert_snapshot!(String::from_utf8(written).unwrap());
}

#[test]
fn kind_is_shown_where_it_says_something() {
    let mut sessions = sessions();
    let titles =
        |sessions: &[Session], is_all| SessionTable::of(sessions, true, is_all, NOW, None).titles();
    assert!(!titles(&sessions, true).contains("KIND"));
    // Later ones may be of another kind.
    assert!(titles(&sessions, false).contains("KIND"));
    sessions[1].kind = Kind::GUEST;
    let table = SessionTable::of(&sessions, true, true, NOW, None);
    assert!(
        table.titles().contains("  KIND   SEEN"),
        "{}",
        table.titles()
    );
    let rows = table.rows(&sessions);
    assert!(rows.lines().nth(1).unwrap().contains("  guest  "), "{rows}");
    assert!(page(&sessions[1], NOW).contains("kind          guest\n"));
}

#[test]
fn short_ids_are_as_long_as_they_must_be() {
    let ids = [
        "0199f0c4-8a5e-7cc3-98c4-dc0c0c07398f",
        "0199f0c4-8a5e-7cc3-98c5-dc0c0c07398f",
    ];
    let sessions = ids.map(|id| {
        let mut session = session(1, "ann", Agent::default());
        session.id = id.parse().unwrap();
        session
    });
    let table = SessionTable::of(&sessions, true, true, NOW, Some(40));
    let rows = table.rows(&sessions);
    let firsts: Vec<_> = rows
        .lines()
        .map(|line| line.split(' ').next().unwrap())
        .collect();
    assert_eq!(
        firsts,
        ["\u{2026}98c4-dc0c0c07398f", "\u{2026}98c5-dc0c0c07398f"]
    );
}
