//! `sessionup revoke`

use std::io;

use serde::Serialize;
use sessionup_core::{Session, SessionId, Timestamp, UserKey};

use crate::args::{Assent, Revoke};
use crate::escape;
use crate::failure::Failure;
use crate::ids::{self, Resolved, Wanted};
use crate::scope::Scope;
use crate::store::{Changes, Place};
use crate::view::SessionTable;
use crate::{ask, output};

/// Which sessions are to end.
enum Target<'a> {
    Ids(Resolved),
    /// Those of a user or of all, but some.
    Scope {
        scope: Scope<'a>,
        except: Vec<SessionId>,
    },
}

/// What ends in one step, whoever has logged in meanwhile.
enum Whole<'a> {
    Everybody,
    User(&'a UserKey, &'a [SessionId]),
    /// Those that were found.
    No,
}

/// What of them is there.
#[derive(Default)]
struct Plan {
    ids: Vec<SessionId>,
    /// The first of these that can be read.
    first: Vec<Session>,
    users: Users,
    not_found: Vec<String>,
}

/// Whose the sessions are.
#[derive(Default)]
enum Users {
    #[default]
    Nobody,
    One(UserKey),
    Several,
}

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    revoked: u64,
    sessions: Vec<SessionId>,
    not_found: Vec<String>,
}

pub(super) fn run(args: &Revoke, now: Timestamp) -> Result<(), Failure> {
    let place = Place::from(&args.place);
    let target = Target::of(args, &place, now)?;
    let plan = agreed(args, &target, &place, now)?;
    let revoked = match args.assent.dry_run || !target.may_end(&plan, &args.assent) {
        true => 0,
        false => {
            let changes = place.change()?;
            let ended = target.end(&plan, &changes)?;
            changes.close();
            ended
        }
    };
    let found = plan.ids.len() as u64;
    let missing = (plan.not_found.len() as u64).saturating_sub(revoked.saturating_sub(found));
    if args.json.json {
        output::json(&Answer {
            dry_run: args.assent.dry_run,
            revoked,
            sessions: plan.ids,
            not_found: plan.not_found,
        })?;
    } else if found > 0 || revoked > 0 {
        let (number, done) = match args.assent.dry_run {
            true => (found, "would end"),
            false => (revoked, "ended"),
        };
        output::print(&format!("{} {done}\n", output::sessions(number)))?;
    }
    target.result(found + revoked, missing)
}

/// Shows what would end and asks, until what was shown is what there is.
fn agreed(
    args: &Revoke,
    target: &Target<'_>,
    place: &Place,
    now: Timestamp,
) -> Result<Plan, Failure> {
    let mut plan = target.plan(place)?;
    for id in &plan.not_found {
        output::tell(&format!("there is no session {id}"));
    }
    if args.assent.dry_run {
        if !args.json.json {
            let (table, _) = plan.table(now, output::width());
            output::print(&table)?;
        }
        return Ok(plan);
    }
    if args.assent.yes || !target.may_end(&plan, &args.assent) {
        return Ok(plan);
    }
    loop {
        let (text, table) = plan.table(now, output::width_aside());
        output::tell_safe(&text);
        if let Some(table) = table {
            table.tell_left_out();
        }
        ask::confirm(&target.question(&plan), &args.assent)?;
        // Of ids that were shown, none is another session now; and everybody is everybody.
        if !matches!(target.whole(), Whole::User(..)) {
            return Ok(plan);
        }
        let again = target.plan(place)?;
        if again.ids == plan.ids {
            return Ok(plan);
        }
        output::tell("the sessions of this user have changed meanwhile:");
        plan = again;
    }
}

impl<'a> Target<'a> {
    /// Reads what was said. All of it is checked before anything is done.
    fn of(args: &'a Revoke, place: &Place, now: Timestamp) -> Result<Self, Failure> {
        let scope = Scope::new(args.user.as_deref(), &args.filter, now)?;
        if args.ids.is_empty() {
            let except = args.except.iter().map(|text| Wanted::parse(text));
            let except = except.collect::<Result<Vec<_>, _>>()?;
            if args.assent.yes {
                ids::check_unasked(&except)?;
            }
            let except = ids::resolve(&except, place)?;
            if let Some(part) = except.not_found.first() {
                return Err(Failure::NotFound(format!(
                    "there is no session {part}, which was to stay; nothing was changed"
                )));
            }
            return Ok(Self::Scope {
                scope,
                except: except.ids,
            });
        }
        if !scope.is_whole() {
            return Err(Failure::Usage(
                "filters and --limit choose among the sessions of --user or --all, not among ids"
                    .into(),
            ));
        }
        let wanted = ids::parse_all(&args.ids, io::stdin().lock())?;
        if args.assent.yes {
            ids::check_unasked(&wanted)?;
        }
        let resolved = ids::resolve(&wanted, place)?;
        for (part, id) in &resolved.meant {
            output::hint(&format!("{part} is {id}"));
        }
        Ok(Self::Ids(resolved))
    }

    fn plan(&self, place: &Place) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        match self {
            Self::Ids(resolved) => {
                plan.not_found.clone_from(&resolved.not_found);
                let mut reading = place.reading();
                for id in &resolved.ids {
                    match reading.find(*id)? {
                        Some((id, session)) => plan.add(id, session.ok()),
                        None => plan.not_found.push(id.to_string()),
                    }
                }
            }
            Self::Scope { scope, except } => {
                let mut reading = place.reading().of(scope.user.clone());
                loop {
                    let piece = reading.piece()?;
                    if piece.is_empty() || plan.ids.len() == scope.limit() {
                        break;
                    }
                    for (id, session) in piece {
                        // One that cannot be read passes no filter.
                        let is_meant = match &session {
                            Ok(session) => scope.has(session),
                            Err(_) => scope.is_whole(),
                        };
                        let has_room = plan.ids.len() < scope.limit();
                        if is_meant && has_room && except.binary_search(&id).is_err() {
                            plan.add(id, session.ok());
                        }
                    }
                }
            }
        }
        Ok(plan)
    }

    /// Says what the store is asked to end in one step, which refuses logins that are under way as well.
    fn whole(&self) -> Whole<'_> {
        match self {
            Self::Scope { scope, except } if scope.is_whole() => match &scope.user {
                Some(user) => Whole::User(user, except),
                None if except.is_empty() => Whole::Everybody,
                None => Whole::No,
            },
            Self::Scope { .. } | Self::Ids(_) => Whole::No,
        }
    }

    /// Says whether the store is asked. A user without sessions may be logging in right now; and a
    /// session that a look does not find may be in doubt after a failed write, and come back.
    fn may_end(&self, plan: &Plan, assent: &Assent) -> bool {
        let names_some = match self {
            Self::Ids(resolved) => assent.yes && !resolved.ids.is_empty(),
            Self::Scope { .. } => !matches!(self.whole(), Whole::No),
        };
        names_some || !plan.ids.is_empty()
    }

    fn question(&self, plan: &Plan) -> String {
        let number = plan.ids.len() as u64;
        let sessions = output::sessions(number);
        match (self.whole(), &plan.users) {
            (Whole::Everybody, _) => format!("End {sessions} of all users?"),
            (Whole::User(user, _), _) if number == 0 => format!(
                "User {} has no such sessions. Refuse logins that are under way?",
                escape::quoted(user.as_str())
            ),
            (Whole::User(user, _), _) | (Whole::No, Users::One(user)) => {
                format!("End {sessions} of {}?", escape::quoted(user.as_str()))
            }
            (Whole::No, Users::Several) => format!("End {sessions} of several users?"),
            (Whole::No, Users::Nobody) => format!("End {sessions}?"),
        }
    }

    fn end(&self, plan: &Plan, changes: &Changes) -> Result<u64, Failure> {
        match self.whole() {
            Whole::Everybody => changes.end_all(),
            Whole::User(user, except) => changes.end_user(user, except),
            Whole::No => match self {
                Self::Ids(resolved) => changes.end(&resolved.ids),
                Self::Scope { .. } => changes.end(&plan.ids),
            },
        }
    }

    /// Fails if something was not found, once all else is done.
    fn result(&self, found: u64, missing: u64) -> Result<(), Failure> {
        let text = match self {
            Self::Ids(_) if missing == 0 => return Ok(()),
            Self::Ids(_) if found == 0 => "nothing was changed".into(),
            Self::Ids(_) => format!("{} not found", output::sessions(missing)),
            Self::Scope { .. } if found > 0 => return Ok(()),
            Self::Scope { scope, .. } => match &scope.user {
                Some(user) => {
                    format!(
                        "user {} has no such sessions",
                        escape::quoted(user.as_str())
                    )
                }
                None => "there are no such sessions".into(),
            },
        };
        Err(Failure::NotFound(text))
    }
}

/// How many sessions are shown before they end.
const SHOWN: usize = 50;

impl Plan {
    fn add(&mut self, id: SessionId, session: Option<Session>) {
        self.ids.push(id);
        let Some(session) = session else { return };
        match &self.users {
            Users::Nobody => self.users = Users::One(session.user_key.clone()),
            Users::One(user) if *user != session.user_key => self.users = Users::Several,
            Users::One(_) | Users::Several => {}
        }
        if self.first.len() < SHOWN {
            self.first.push(session);
        }
    }

    /// Writes the first sessions as a table, and how many more there are.
    fn table(&self, now: Timestamp, width: Option<u16>) -> (String, Option<SessionTable>) {
        if self.first.is_empty() {
            return (String::new(), None);
        }
        let table = SessionTable::of(&self.first, true, true, now, width);
        let mut text = table.titles() + &table.rows(&self.first);
        let more = self.ids.len() - self.first.len();
        if more > 0 {
            text.push_str(&format!("and {} more\n", output::sessions(more as u64)));
        }
        (text, Some(table))
    }
}
