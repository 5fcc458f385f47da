//! What a response says about the cookie. Pure: from headers to headers.

use http::header::{CACHE_CONTROL, Entry, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderValue};
use sessionup_core::SetCookie;

/// Adds `Vary: Cookie` and, if the cookie changes, the one `Set-Cookie` of its name and `no-store`.
pub(crate) fn finish(headers: &mut HeaderMap, cookie_name: &str, cookie: Option<SetCookie>) {
    vary_by_cookie(headers);
    let Some(cookie) = cookie else {
        return;
    };
    let Ok(mut value) = HeaderValue::from_str(cookie.expose()) else {
        // The configuration was checked to make a header of visible ASCII.
        tracing::error!(target: "sessionup", cookie_name, "the session cookie is no header value");
        return;
    };
    value.set_sensitive(true);
    remove_cookie(headers, cookie_name);
    headers.append(SET_COOKIE, value);
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

fn vary_by_cookie(headers: &mut HeaderMap) {
    let names_cookie = |value: &HeaderValue| {
        value.as_bytes().split(|byte| *byte == b',').any(|field| {
            let field = field.trim_ascii();
            field == b"*" || field.eq_ignore_ascii_case(b"cookie")
        })
    };
    if !headers.get_all(VARY).iter().any(names_cookie) {
        headers.append(VARY, HeaderValue::from_static("Cookie"));
    }
}

/// Takes back every `Set-Cookie` of this name; the others keep their order.
fn remove_cookie(headers: &mut HeaderMap, name: &str) {
    let is_ours = |value: &HeaderValue| {
        let value = value.as_bytes();
        let end = value.iter().position(|byte| *byte == b'=');
        end.and_then(|end| value.get(..end))
            .is_some_and(|this| this.trim_ascii() == name.as_bytes())
    };
    if let Entry::Occupied(cookies) = headers.entry(SET_COOKIE) {
        let (field, values) = cookies.remove_entry_mult();
        let others: Vec<_> = values.filter(|value| !is_ours(value)).collect();
        for value in others {
            headers.append(field.clone(), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use sessionup_core::{Manager, MemoryStore, Peer};

    use super::*;

    /// A removal cookie of a manager with the default settings.
    fn removal() -> SetCookie {
        let manager = Manager::builder(MemoryStore::new()).build().unwrap();
        let sessions = manager.sessions([], Peer::default());
        let runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = { runtime }.build().unwrap();
        runtime.block_on(async {
            sessions.init("ann").await.unwrap();
            sessions.revoke().await.unwrap();
        });
        sessions.response_cookie().unwrap()
    }

    fn headers(fields: &[(http::HeaderName, &'static str)]) -> HeaderMap {
        let fields = fields.iter();
        fields
            .map(|(name, value)| (name.clone(), HeaderValue::from_static(value)))
            .collect()
    }

    fn all(headers: &HeaderMap, name: http::HeaderName) -> Vec<&str> {
        let values = headers.get_all(name);
        values.iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn vary_is_added_once_and_nothing_is_taken_from_it() {
        let cases: [(&str, &[&'static str], &[&str]); 7] = [
            ("none", &[], &["Cookie"]),
            ("another", &["Accept"], &["Accept", "Cookie"]),
            ("there", &["Cookie"], &["Cookie"]),
            (
                "there in other case",
                &["accept, cookie"],
                &["accept, cookie"],
            ),
            ("second field", &["Accept", "COOKIE"], &["Accept", "COOKIE"]),
            ("everything", &["*"], &["*"]),
            ("longer name", &["Cookie2"], &["Cookie2", "Cookie"]),
        ];
        for (name, before, after) in cases {
            let mut headers: HeaderMap = headers(&[]);
            for value in before {
                headers.append(VARY, HeaderValue::from_static(value));
            }
            finish(&mut headers, "__Host-id", None);
            assert_eq!(all(&headers, VARY), after, "{name}");
        }
    }

    #[test]
    fn unchanged_cookie_leaves_caching_to_the_handler() {
        let mut headers = headers(&[(CACHE_CONTROL, "public, max-age=60"), (SET_COOKIE, "a=b")]);
        finish(&mut headers, "__Host-id", None);
        assert_eq!(all(&headers, CACHE_CONTROL), ["public, max-age=60"]);
        assert_eq!(all(&headers, SET_COOKIE), ["a=b"]);
    }

    #[test]
    fn changed_cookie_is_the_only_one_of_its_name_and_is_not_cached() {
        let mut headers = headers(&[
            (CACHE_CONTROL, "public, max-age=60"),
            (SET_COOKIE, "a=b"),
            (SET_COOKIE, "__Host-id=by-hand; Path=/"),
            (SET_COOKIE, "__Host-id2=c"),
        ]);
        headers.append(CACHE_CONTROL, HeaderValue::from_static("immutable"));

        finish(&mut headers, "__Host-id", Some(removal()));

        assert_eq!(all(&headers, CACHE_CONTROL), ["no-store"]);
        let cookies = all(&headers, SET_COOKIE);
        assert_eq!(&cookies[..2], ["a=b", "__Host-id2=c"]);
        assert!(cookies[2].starts_with("__Host-id=; Path=/;"), "{cookies:?}");
        assert_eq!(cookies.len(), 3);
    }

    #[test]
    fn the_cookie_is_marked_sensitive() {
        let mut headers = headers(&[]);
        finish(&mut headers, "__Host-id", Some(removal()));
        assert!(headers[SET_COOKIE].is_sensitive());
        assert!(!format!("{headers:?}").contains("__Host-id"));
    }
}
