//! `sessionup prune`

use serde::Serialize;
use sessionup_core::Timestamp;

use super::has_ended;
use crate::args::Prune;
use crate::failure::Failure;
use crate::store::Place;
use crate::{ask, output, when};

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    /// How many have ended.
    expired: u64,
    deleted: u64,
}

pub(super) fn run(args: &Prune, now: Timestamp) -> Result<(), Failure> {
    let place = Place::from(&args.place);
    let mut expired = expired(&place, now)?;
    let mut deleted = 0;
    while expired > 0 && !args.assent.dry_run {
        let question = format!(
            "Delete {} that ended before {}?",
            output::sessions(expired),
            when::minute(now)
        );
        ask::confirm(&question, &args.assent)?;
        let again = match args.assent.yes {
            true => expired,
            false => self::expired(&place, now)?,
        };
        if again == expired {
            deleted = prune(args, &place, now)?;
            break;
        }
        output::tell("the sessions have changed meanwhile:");
        expired = again;
    }
    if args.json.json {
        return output::json(&Answer {
            dry_run: args.assent.dry_run,
            expired,
            deleted,
        });
    }
    let sessions = output::sessions(if args.assent.dry_run {
        expired
    } else {
        deleted
    });
    let done = if args.assent.dry_run {
        "would be deleted"
    } else {
        "deleted"
    };
    output::print(&format!("{sessions} {done}\n"))
}

fn expired(place: &Place, now: Timestamp) -> Result<u64, Failure> {
    let view = place.look()?;
    let bar = output::bar("Looking", view.count()?);
    let mut expired = 0;
    view.each(|_, session| {
        bar.inc(1);
        expired += u64::from(session.is_ok_and(|session| has_ended(&session, now)));
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(expired)
}

fn prune(args: &Prune, place: &Place, now: Timestamp) -> Result<u64, Failure> {
    let changes = place.change()?;
    let safe = changes.safe_to_prune(now);
    let until = if args.trust_clock { now } else { safe };
    if until < now {
        output::tell(&format!(
            "the clock is far from when this file was last used: only what ended before {} is \
             deleted, the rest after a day, or with --trust-clock",
            when::minute(until)
        ));
    }
    let spinner = output::spinner("Deleting");
    let deleted = changes.prune(until)?;
    changes.close();
    spinner.finish_and_clear();
    Ok(deleted)
}
