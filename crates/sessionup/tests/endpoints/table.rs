//! Runs the table of [`rows`].

use http::Request;

use super::rows::{LIST, Row, When, Who, rows};
use super::stage::Stage;
use super::support::{COOKIE_NAME, MARKER, Reply};

/// Sends a row's request in an application of its own.
pub(crate) async fn play(row: &Row) -> (Reply, Stage) {
    let mut stage = Stage::new().await;
    let mut request = Request::builder()
        .method(row.method)
        .uri(stage.path(row.path));
    if matches!(row.when, When::CrossSite) {
        request = request.header("sec-fetch-site", "cross-site");
    }
    stage.store.off(matches!(row.when, When::Down));
    let browser = match row.who {
        Who::Ann => &mut stage.ann,
        Who::Dead => &mut stage.dead,
        Who::Root => &mut stage.root,
        Who::Stranger => &mut stage.stranger,
    };
    let reply = browser.send(request).await;
    stage.store.off(false);
    (reply, stage)
}

#[tokio::test]
async fn every_route_in_every_situation() {
    for row in rows() {
        let (reply, _) = play(&row).await;

        assert_eq!(reply.status, row.status, "{row:?}: {}", reply.body);
        if row.body == LIST {
            assert!(!reply.json().as_array().unwrap().is_empty(), "{row:?}");
        } else {
            assert_eq!(reply.body, row.body, "{row:?}");
        }
        let media = (!reply.body.is_empty()).then_some("application/json");
        assert_eq!(reply.header("content-type"), media, "{row:?}");
        assert_eq!(reply.header("cache-control"), Some("no-store"), "{row:?}");
        let vary: Vec<_> = reply.headers.get_all("vary").iter().collect();
        assert_eq!(vary, ["Cookie"], "{row:?}");
        let wait = (row.status == 503).then_some("1");
        assert_eq!(reply.header("retry-after"), wait, "{row:?}");
    }
}

#[tokio::test]
async fn what_is_refused_changes_nothing() {
    for row in rows() {
        let (reply, mut stage) = play(&row).await;
        if !reply.status.is_success() {
            assert!(reply.set_cookies().is_empty(), "{row:?}");
            assert_eq!(reply.header("clear-site-data"), None, "{row:?}");
            assert_eq!(stage.logged_in().await, [true; 4], "{row:?}");
        }
    }
}

#[tokio::test]
async fn nothing_tells_a_token_a_key_or_the_stores_troubles() {
    for row in rows() {
        let (reply, stage) = play(&row).await;
        let mut headers = reply.headers.clone();
        let cookies = headers.remove("set-cookie");
        let sent = format!("{headers:?} {}", reply.body);
        for token in &stage.tokens {
            assert!(!sent.contains(&token[..16]), "{row:?}: {sent}");
            assert!(!sent.contains(&token[48..]), "{row:?}: {sent}");
        }
        assert!(!sent.contains(MARKER), "{row:?}: {sent}");
        assert!(!sent.contains("ann"), "{row:?}: {sent}");
        let removal = format!("{COOKIE_NAME}=;");
        let removes = |cookie: http::HeaderValue| cookie.to_str().unwrap().starts_with(&removal);
        assert!(cookies.is_none_or(removes), "{row:?}");
    }
}
