//! `sessionup export bolt`

use std::path::Path;

use serde::Serialize;
use sessionup_bolt::{BoltError, BoltFile, Export, ExportReport, GoTokens};
use sessionup_core::Timestamp;

use super::Damages;
use crate::args::ExportBolt;
use crate::failure::{Failure, of_bolt};
use crate::output;
use crate::store::{Place, Records};

#[derive(Serialize)]
struct Answer {
    sessions: u64,
    exported: u64,
    meta_as_text: u64,
    expired: u64,
    no_token: u64,
    other_kind: u64,
    renewed: u64,
    damaged: u64,
}

pub(super) fn run(args: &ExportBolt, now: Timestamp) -> Result<(), Failure> {
    let records = Place::from(&args.redb).records()?;
    let mut tokens = GoTokens::new();
    for source in &args.from {
        add_tokens(&mut tokens, source, &args.bucket).map_err(of_bolt(source))?;
    }
    let mut export = Export::new(&args.bucket, tokens)?;
    let damages = add(&records, &mut export, now)?;
    // The file is free again before anything is written.
    drop(records);
    let report = export.write(&args.destination)?;
    tell(args, report, damages.number)?;
    damages.into_result()
}

fn add_tokens(tokens: &mut GoTokens, source: &Path, bucket: &str) -> Result<(), BoltError> {
    let file = BoltFile::open(source)?;
    tokens.add(file.sessions(bucket)?)
}

fn add(records: &Records, export: &mut Export, now: Timestamp) -> Result<Damages, Failure> {
    let mut damages = Damages::default();
    let bar = output::bar("Exporting", records.count()?);
    records.each(|_, record| {
        bar.inc(1);
        match record {
            Ok(record) => {
                export.add(&record, now)?;
            }
            Err(damage) => damages.note(damage),
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(damages)
}

fn tell(args: &ExportBolt, report: ExportReport, damaged: u64) -> Result<(), Failure> {
    let ExportReport {
        records,
        taken,
        as_text,
        expired,
        no_token,
        other_kind,
        renewed,
        ..
    } = report;
    if args.json.json {
        return output::json(&Answer {
            sessions: records + damaged,
            exported: taken,
            meta_as_text: as_text,
            expired,
            no_token,
            other_kind,
            renewed,
            damaged,
        });
    }
    output::print(&format!(
        "{}: {taken} exported ({as_text} of them with meta made text), {expired} ended, {no_token} \
         without a token of Go's, {renewed} renewed here, {other_kind} of another kind\n",
        output::sessions(records),
    ))?;
    if taken > 0 {
        output::tell("The file holds tokens: guard it like passwords.");
    }
    Ok(())
}
