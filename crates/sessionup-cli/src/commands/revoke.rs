//! `sessionup revoke`

use serde::Serialize;
use sessionup_core::{Session, SessionId, Timestamp, UserKey};

use crate::args::Revoke;
use crate::failure::Failure;
use crate::store::{Changes, Place, View};
use crate::{ask, output, view};

/// Which sessions are to end.
enum Target {
    Ids(Vec<SessionId>),
    User {
        user: UserKey,
        except: Vec<SessionId>,
    },
}

/// What of them is there.
#[derive(Default)]
struct Plan {
    ids: Vec<SessionId>,
    /// Of these, those that can be read.
    sessions: Vec<Session>,
    not_found: Vec<SessionId>,
}

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    revoked: u64,
    sessions: Vec<SessionId>,
    not_found: Vec<SessionId>,
}

pub(super) fn run(args: &Revoke, now: Timestamp) -> Result<(), Failure> {
    let target = match &args.user {
        Some(user) => Target::User {
            user: super::user(user)?,
            except: super::ids(&args.except)?,
        },
        None => Target::Ids(super::ids(&args.ids)?),
    };
    let place = Place::from(&args.place);
    // The file must be free again before it is changed.
    let plan = target.plan(&place.look()?)?;
    for id in &plan.not_found {
        output::tell(&format!("there is no session {id}"));
    }
    if plan.ids.is_empty() {
        return nothing(args, &target, plan);
    }
    let number = plan.ids.len() as u64;
    let table = |width| view::table(&plan.sessions, true, now, width);
    if args.assent.dry_run {
        if !args.json.json {
            output::print(&table(output::width()))?;
            output::print(&format!("{} would end\n", output::sessions(number)))?;
        }
    } else {
        if !args.assent.yes {
            output::tell_table(&table(output::width_aside()));
        }
        ask::confirm(&format!("End {}?", output::sessions(number)), &args.assent)?;
    }
    let revoked = match args.assent.dry_run {
        true => 0,
        false => {
            let changes = place.change()?;
            let ended = target.end(&plan, &changes)?;
            changes.close();
            ended
        }
    };
    if args.json.json {
        output::json(&Answer {
            dry_run: args.assent.dry_run,
            revoked,
            sessions: plan.ids,
            not_found: plan.not_found.clone(),
        })?;
    } else if !args.assent.dry_run {
        output::print(&format!("{} ended\n", output::sessions(revoked)))?;
    }
    match plan.not_found.len() as u64 {
        0 => Ok(()),
        missing => Err(Failure::NotFound(format!(
            "{} not found",
            output::sessions(missing)
        ))),
    }
}

fn nothing(args: &Revoke, target: &Target, plan: Plan) -> Result<(), Failure> {
    if args.json.json {
        output::json(&Answer {
            dry_run: args.assent.dry_run,
            revoked: 0,
            sessions: plan.ids,
            not_found: plan.not_found,
        })?;
    }
    Err(Failure::NotFound(match target {
        Target::Ids(_) => "nothing was changed".into(),
        Target::User { user, .. } => format!("{user} has no such sessions"),
    }))
}

impl Target {
    fn plan(&self, view: &View) -> Result<Plan, Failure> {
        let mut plan = Plan::default();
        match self {
            Self::Ids(ids) => {
                for id in ids {
                    match view.find(*id)? {
                        Some((id, session)) => plan.add(id, session.ok()),
                        None => plan.not_found.push(*id),
                    }
                }
            }
            Self::User { user, except } => {
                for (id, session) in view.of_user(user)? {
                    if !except.contains(&id) {
                        plan.add(id, session.ok());
                    }
                }
            }
        }
        Ok(plan)
    }

    fn end(&self, plan: &Plan, changes: &Changes) -> Result<u64, Failure> {
        match self {
            Self::User { user, except } => changes.end_user(user, except),
            Self::Ids(_) => changes.end(&plan.ids),
        }
    }
}

impl Plan {
    fn add(&mut self, id: SessionId, session: Option<Session>) {
        self.ids.push(id);
        self.sessions.extend(session);
    }
}
