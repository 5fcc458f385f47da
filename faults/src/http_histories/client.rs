//! A client: it sends requests with cookies that all clients share, and notes what is answered.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_executor::block_on;
use http::header::{COOKIE, SET_COOKIE};
use http::{Method, Request, StatusCode};
use sessionup::ManualClock;
use tower::ServiceExt;

use crate::campaign::{Rng, Violation};
use crate::http_histories::model::{Answer, Id, Step, Token, User, What, World};
use crate::linear::{self, Order};

pub(super) type Call = linear::Call<World>;

const COOKIE_NAME: &str = "__Host-id";
const LONGEST_BODY: usize = 1 << 16;

/// A login that somebody was told of.
#[derive(Clone, Debug)]
pub(super) struct Known {
    id: Id,
    user: User,
    token: Token,
}

/// What all clients of a history share.
pub(super) struct Table<'a> {
    pub(super) app: &'a Router,
    pub(super) clock: &'a ManualClock,
    pub(super) users: Vec<User>,
    pub(super) order: Order,
    pub(super) known: Mutex<Vec<Known>>,
}

/// What a request is to do.
#[derive(Clone, Debug)]
pub(super) enum Wish {
    Login(User),
    Me,
    Devices,
    Logout,
    Revoke(Id),
    RevokeOthers,
    RevokeAll,
    Renew,
}

struct Reply {
    status: StatusCode,
    body: String,
    token: Option<Token>,
}

impl Table<'_> {
    pub(super) fn known(&self) -> MutexGuard<'_, Vec<Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends a request as it is drawn.
    pub(super) fn any(&self, client: usize, rng: &mut Rng) -> Result<Vec<Call>, Violation> {
        self.clock.advance(Duration::from_millis(rng.u64(0..3)));
        let known = self.known().clone();
        // Often a cookie of late, so that several requests have it.
        let late = known.len().saturating_sub(3);
        let from = if rng.bool() { late } else { 0 };
        let with = rng.choice(known.get(from..).unwrap_or_default()).cloned();
        let id = rng.choice(&known).map(|known| known.id.clone());
        let user = rng.choice(&self.users).cloned().unwrap_or_default();
        let wish = match rng.u8(..100) {
            _ if known.is_empty() => Wish::Login(user),
            0..=17 => Wish::Login(user),
            18..=49 => Wish::Me,
            50..=61 => Wish::Devices,
            62..=71 => Wish::Logout,
            72..=81 => id.map_or(Wish::Me, Wish::Revoke),
            82..=86 => Wish::RevokeOthers,
            87..=90 => Wish::RevokeAll,
            _ => Wish::Renew,
        };
        let with = with.filter(|_| !matches!(wish, Wish::Login(_)) || rng.bool());
        Ok(self.ask(client, &wish, with.as_ref())?.1)
    }

    /// Looks at every cookie there ever was; `None` if the store has not come back yet.
    pub(super) fn look(&self, known: &Known) -> Result<Option<Vec<Call>>, Violation> {
        let mut calls = Vec::new();
        for wish in [Wish::Me, Wish::Devices] {
            let (is_known, these) = self.ask(0, &wish, Some(known))?;
            if !is_known {
                return Ok(None);
            }
            calls.extend(these);
        }
        Ok(Some(calls))
    }

    /// Sends a request and says whether its outcome is known, and its steps.
    fn ask(
        &self,
        client: usize,
        wish: &Wish,
        with: Option<&Known>,
    ) -> Result<(bool, Vec<Call>), Violation> {
        let token = with.map(|known| known.token.clone());
        let moments: [u64; 4] = std::array::from_fn(|_| self.order.moment());
        let reply = self.send(wish, token.as_deref())?;
        let answer = read(wish, &reply)?;
        let mut new = None;
        if let (Some(Answer::Done), Some(token)) = (&answer, reply.token) {
            let (id, user) = match (wish, with) {
                (Wish::Login(user), _) => (reply.body, user.clone()),
                (_, Some(known)) => (known.id.clone(), known.user.clone()),
                (_, None) => return Err(Violation::new("a cookie for nobody")),
            };
            new = Some(Known { id, user, token });
        }
        let returned = answer.as_ref().map(|_| self.order.moment());
        let mut steps = steps(wish, token.as_ref(), new.as_ref(), answer.is_some());
        self.known().extend(new);
        if answer.is_none() {
            match (wish, with) {
                (Wish::Me | Wish::Devices, _) => return Ok((false, Vec::new())),
                (Wish::RevokeOthers | Wish::RevokeAll, Some(known)) => {
                    steps.push(What::Overtake(known.user.clone()));
                }
                _ => {}
            }
        }
        let [request, ..] = moments;
        let acts = steps.len().saturating_sub(1);
        let steps = steps.into_iter().zip(moments).enumerate();
        let calls = steps.map(|(at, (what, called))| Call {
            client,
            op: Step { request, what },
            answer: answer.clone().filter(|_| at == acts),
            called,
            returned,
            after: None,
        });
        Ok((answer.is_some(), calls.collect()))
    }

    fn send(&self, wish: &Wish, token: Option<&str>) -> Result<Reply, Violation> {
        let (method, path) = match wish {
            Wish::Login(user) => (Method::POST, format!("/login/{user}")),
            Wish::Me => (Method::GET, "/me".into()),
            Wish::Devices => (Method::GET, "/devices".into()),
            Wish::Logout => (Method::POST, "/logout".into()),
            Wish::Revoke(id) => (Method::POST, format!("/revoke/{id}")),
            Wish::RevokeOthers => (Method::POST, "/revoke-others".into()),
            Wish::RevokeAll => (Method::POST, "/revoke-all".into()),
            Wish::Renew => (Method::POST, "/renew".into()),
        };
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(COOKIE, format!("{COOKIE_NAME}={token}"));
        }
        let request = request.body(Body::empty()).map_err(Violation::new)?;
        block_on(async {
            let response = self.app.clone().oneshot(request).await;
            let (parts, body) = response.map_err(Violation::new)?.into_parts();
            let body = to_bytes(body, LONGEST_BODY).await.map_err(Violation::new)?;
            let cookie = parts.headers.get(SET_COOKIE);
            let cookie = cookie.and_then(|value| value.to_str().ok()).unwrap_or("");
            let pair = cookie.split(';').next().unwrap_or("");
            let token = pair.strip_prefix(COOKIE_NAME);
            let token = token.and_then(|rest| rest.strip_prefix('='));
            Ok(Reply {
                status: parts.status,
                body: String::from_utf8_lossy(&body).into_owned(),
                token: token.filter(|value| !value.is_empty()).map(str::to_owned),
            })
        })
    }
}

/// Reads an answer; `None` if the outcome is unknown.
fn read(wish: &Wish, reply: &Reply) -> Result<Option<Answer>, Violation> {
    let body = reply.body.as_str();
    let strange = || Violation(format!("{wish:?} was answered {} {body:?}", reply.status));
    Ok(Some(match (reply.status.as_u16(), wish) {
        (503, _) => return Ok(None),
        (401, Wish::Login(_) | Wish::Logout) => return Err(strange()),
        (401, _) => Answer::NoSession,
        (409, Wish::Login(_)) => Answer::Overtaken,
        (200, Wish::Login(_) | Wish::Renew) if reply.token.is_some() => Answer::Done,
        (200, Wish::Logout) => Answer::Done,
        (200, Wish::Me) => {
            let (id, user) = body.split_once(' ').ok_or_else(strange)?;
            Answer::Session(id.to_owned(), user.to_owned())
        }
        (200, Wish::Devices) => {
            Answer::Sessions(body.split_whitespace().map(str::to_owned).collect())
        }
        (200, Wish::Revoke(_)) => Answer::Found(body.parse().map_err(|_| strange())?),
        (200, Wish::RevokeOthers | Wish::RevokeAll) => {
            Answer::Count(body.parse().map_err(|_| strange())?)
        }
        _ => return Err(strange()),
    }))
}

/// The steps of a request, the last of which is answered.
fn steps(wish: &Wish, with: Option<&Token>, new: Option<&Known>, is_known: bool) -> Vec<What> {
    let load = What::Load(with.cloned());
    let find = What::Find(with.cloned());
    let prove = What::Prove(with.cloned());
    let revoke_all = |keeps_own| What::RevokeAll {
        keeps_own,
        overtakes: is_known,
    };
    match wish {
        Wish::Login(user) => {
            let new = new.map(|known| (known.id.clone(), known.token.clone()));
            vec![
                What::Arrive(user.clone()),
                find,
                What::Begin(user.clone(), new),
            ]
        }
        Wish::Me => vec![load, What::WhoAmI],
        Wish::Devices => vec![load, prove, What::List],
        Wish::Logout => vec![find, What::Logout],
        Wish::Revoke(id) => vec![load, prove, What::Revoke(id.clone())],
        Wish::RevokeOthers => vec![load, prove, revoke_all(true)],
        Wish::RevokeAll => vec![load, prove, revoke_all(false)],
        Wish::Renew => {
            let to = new.map(|known| known.token.clone());
            vec![load, What::Renew(with.cloned(), to)]
        }
    }
}
