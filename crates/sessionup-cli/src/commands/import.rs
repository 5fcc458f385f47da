//! `sessionup import bolt`

use std::collections::BTreeMap;

use futures_executor::block_on;
use indicatif::ProgressBar;
use serde::Serialize;
use sessionup_bolt::{
    BoltError, BoltFile, Import, ImportError, ImportFailure, ImportReport, ImportedRow, Outcome,
};
use sessionup_core::{SessionId, Store, Timestamp};

use crate::args::ImportBolt;
use crate::failure::{Failure, of_bolt};
use crate::rehearsal::Rehearsal;
use crate::store::Place;
use crate::{ask, output};

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    /// Whether the file was not there before.
    file_made: bool,
    rows: u64,
    imported: u64,
    cut: u64,
    already_there: u64,
    expired: u64,
    left_out: BTreeMap<&'static str, u64>,
    left_out_rows: Vec<LeftOut>,
    /// What stopped the import before its end.
    damage: Option<String>,
}

#[derive(Serialize)]
struct LeftOut {
    row: u64,
    id: Option<SessionId>,
    reason: &'static str,
    text: String,
}

/// What came of all rows that could be read.
struct Run {
    report: ImportReport,
    left_out: Vec<LeftOut>,
    damage: Option<BoltError>,
}

/// Reads all first, so that nothing is written that somebody would have said no to.
pub(super) fn run(args: &ImportBolt, now: Timestamp) -> Result<(), Failure> {
    let place = Place::from(&args.into);
    let file = BoltFile::open(&args.source).map_err(of_bolt(&args.source))?;
    let file_made = !place.is_there()?;
    // The file must be free again before it is written.
    let rehearsal = Rehearsal::over(place.look_if_there()?);
    let bar = output::spinner("Reading");
    let rehearsed = pass(args, &file, &rehearsal, now, &bar)?;
    drop(rehearsal);
    bar.finish_and_clear();
    if rehearsed.damage.is_some() && !args.despite_damage {
        output::tell(&format!(
            "nothing was imported; {} before the damage can be with --despite-damage",
            output::sessions(rehearsed.report.imported)
        ));
        return rehearsed.into_result(args);
    }
    if args.assent.dry_run || rehearsed.report.imported == 0 {
        return tell(args, rehearsed, false);
    }
    if !args.assent.yes {
        output::tell(&rehearsed.report.to_string());
        output::tell("Whoever could write to the Bolt file can log in as its users afterwards.");
    }
    ask::confirm(&question(args, &rehearsed.report, file_made), &args.assent)?;
    if !args.assent.yes && place.is_there()? == file_made {
        output::tell("the file has been made or deleted meanwhile:");
        return run(args, now);
    }

    let store = place.make()?;
    let bar = output::bar("Importing", rehearsed.report.rows);
    let run = pass(args, &file, &store, now, &bar);
    block_on(store.close());
    bar.finish_and_clear();
    tell(args, run?, file_made)
}

fn question(args: &ImportBolt, report: &ImportReport, file_made: bool) -> String {
    format!(
        "Import {} into {}{}?",
        output::sessions(report.imported),
        args.into.db.display(),
        if file_made { ", a new file" } else { "" }
    )
}

/// Has a store take all rows, or one that only says what it would do.
fn pass(
    args: &ImportBolt,
    file: &BoltFile,
    store: &impl Store,
    now: Timestamp,
    bar: &ProgressBar,
) -> Result<Run, Failure> {
    let mut import = Import::new()
        .max_lifetime(args.max_lifetime)
        .persistent(args.persistent)
        .include_expired(args.include_expired);
    if let Some(timeout) = args.idle_timeout {
        import = import.idle_timeout(timeout);
    }
    let mut left_out = Vec::new();
    let told = |row: &ImportedRow| {
        bar.inc(1);
        left_out.extend(LeftOut::of(row));
    };
    let rows = file.sessions(&args.bucket).map_err(of_bolt(&args.source))?;
    let (report, damage) = match import.run_blocking(store, rows, now, told) {
        Ok(report) => (report, None),
        Err(ImportError {
            report,
            source: ImportFailure::Bolt(damage @ BoltError::Damaged(_)),
            ..
        }) => (report, Some(damage)),
        Err(error) => return Err(error.into()),
    };
    Ok(Run {
        report,
        left_out,
        damage,
    })
}

impl Run {
    /// Fails if the file is damaged.
    fn into_result(self, args: &ImportBolt) -> Result<(), Failure> {
        self.damage
            .map_or(Ok(()), Err)
            .map_err(of_bolt(&args.source))
    }
}

impl LeftOut {
    fn of(row: &ImportedRow) -> Option<Self> {
        let Outcome::Refused(why) = &row.outcome else {
            return None;
        };
        Some(Self {
            row: row.number,
            id: row.id,
            reason: why.as_str(),
            text: why.to_string(),
        })
    }
}

fn tell(args: &ImportBolt, mut run: Run, file_made: bool) -> Result<(), Failure> {
    for LeftOut { row, id, text, .. } in &run.left_out {
        let id = id.map(|id| format!(" ({id})")).unwrap_or_default();
        output::tell(&format!("row {row}{id} left out: {text}"));
    }
    let report = &run.report;
    if args.json.json {
        output::json(&Answer {
            dry_run: args.assent.dry_run,
            file_made,
            rows: report.rows,
            imported: report.imported,
            cut: report.cut,
            already_there: report.already_there,
            expired: report.expired,
            left_out: report.refused.clone(),
            left_out_rows: std::mem::take(&mut run.left_out),
            damage: run.damage.as_ref().map(ToString::to_string),
        })?;
    } else {
        let would = if args.assent.dry_run {
            "would be: "
        } else {
            ""
        };
        output::print(&format!("{would}{report}\n"))?;
    }
    run.into_result(args)
}
