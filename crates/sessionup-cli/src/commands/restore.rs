//! `sessionup restore`

use std::fs::{self, File, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use serde::Serialize;
use sessionup_bolt::durable::{self, Disk, SystemDisk};
use sessionup_core::{Record, Session, SessionId, Timestamp};
use sessionup_redb::Report;

use super::{backup, check};
use crate::args::Restore;
use crate::failure::{Failure, while_doing};
use crate::store::{Place, Present, Records};
use crate::view::SessionTable;
use crate::{ask, escape, output};

#[derive(Serialize)]
struct Answer {
    dry_run: bool,
    path: String,
    /// Where the file is kept that was replaced.
    kept_as: Option<String>,
    sessions: u64,
    users: u64,
    /// Live sessions of the backup that are not in the present file, or there have another token; null
    /// if that cannot be read.
    come_back: Option<Vec<SessionId>>,
    /// Those of them that come back with an older token.
    older_token: Option<Vec<SessionId>>,
    /// How many sessions of the present file are not in the backup.
    gone: Option<u64>,
}

/// The two files.
struct Files {
    /// What links lead to.
    target: Place,
    source: Place,
}

/// What would come of it.
struct Plan {
    report: Report,
    present: Was,
    /// Both files, as they were when they were compared.
    seen: (Option<Seen>, Option<Seen>),
}

/// What is in the place of the file.
enum Was {
    Nothing,
    Unreadable(String),
    Compared(Difference),
}

#[derive(Default)]
struct Difference {
    come_back: Vec<SessionId>,
    /// Those of them that the present file has, with a token that was renewed since.
    older_token: Vec<SessionId>,
    /// The first of those that the present file does not have.
    first: Vec<Session>,
    /// The first of those with an older token.
    first_older: Vec<Session>,
    gone: u64,
}

pub(super) fn run(args: &Restore, now: Timestamp) -> Result<(), Failure> {
    let files = Files::of(args)?;
    let mut plan = files.plan(args, now)?;
    let mut kept_as = None;
    plan.tell(args, now)?;
    if !args.assent.dry_run {
        loop {
            ask::confirm(&files.question(&plan), &args.assent)?;
            // Nothing was held while the question was open.
            let again = files.plan(args, now)?;
            if args.assent.yes || again.seen == plan.seen {
                break;
            }
            output::tell("the files have changed meanwhile:");
            again.tell(args, now)?;
            plan = again;
        }
        kept_as = files.replace(&SystemDisk::new(), &plan, now)?;
    }
    if args.json.json {
        let difference = match plan.present {
            Was::Nothing | Was::Unreadable(_) => None,
            Was::Compared(difference) => Some(difference),
        };
        let gone = difference.as_ref().map(|difference| difference.gone);
        let (come_back, older_token) = difference
            .map(|difference| (difference.come_back, difference.older_token))
            .unzip();
        return output::json(&Answer {
            dry_run: args.assent.dry_run,
            path: files.target.path().to_string_lossy().into_owned(),
            kept_as: kept_as.map(|path| path.to_string_lossy().into_owned()),
            sessions: plan.report.sessions,
            users: plan.report.users,
            come_back,
            older_token,
            gone,
        });
    }
    let sessions = output::sessions(plan.report.sessions);
    let target = files.target.path().display().to_string();
    let target = escape::text(&target);
    if args.assent.dry_run {
        return output::print(&format!("{sessions} would be restored to {target}\n"));
    }
    output::print(&format!("{sessions} restored to {target}\n"))?;
    if let Some(path) = kept_as {
        let path = path.display().to_string();
        let path = escape::text(&path);
        output::print(&format!("the former file is kept as {path}\n"))?;
    }
    Ok(())
}

impl Files {
    fn of(args: &Restore) -> Result<Self, Failure> {
        let place = Place::from(&args.place);
        let source = fs::canonicalize(&args.source);
        let source = source.map_err(while_doing(format!(
            "{} could not be read",
            args.source.display()
        )))?;
        // A link stays, and what it leads to is replaced.
        let target = match fs::canonicalize(place.path()) {
            Err(error) if error.kind() == ErrorKind::NotFound => place.path().to_owned(),
            found => found.map_err(while_doing(format!(
                "{} cannot be looked at",
                place.path().display()
            )))?,
        };
        if source == target {
            return Err(Failure::Usage(
                "the backup is the file itself: name the copy that is to replace it".into(),
            ));
        }
        Ok(Self {
            source: place.at(&source),
            target: place.at(&target),
        })
    }

    /// Looks at both files, and lets them go.
    fn plan(&self, args: &Restore, now: Timestamp) -> Result<Plan, Failure> {
        let backup = self.source.records()?;
        let report = backup::checked(&self.source, self.source.path(), now)?;
        backup::tell_findings(&report);
        check::sound(&report)?;
        let target = self.target.with_bucket_of(&self.source);
        let present = match target.present()? {
            Present::Nothing => Was::Nothing,
            Present::Unreadable(why) => Was::Unreadable(why),
            Present::Readable(present) => {
                let kept = backup.other_tables()?;
                let mut lost = present.other_tables()?;
                lost.retain(|name| !kept.contains(name));
                if !args.force && !lost.is_empty() {
                    return Err(lost_tables(target.path(), &lost));
                }
                Was::Compared(Difference::of(&backup, &present, now)?)
            }
        };
        let seen = (seen(self.source.path()), seen(target.path()));
        Ok(Plan {
            report,
            present,
            seen,
        })
    }

    fn question(&self, plan: &Plan) -> String {
        let (source, target) = (self.source.path().display(), self.target.path().display());
        match plan.present {
            Was::Nothing => format!("Make {target} from {source}?"),
            Was::Unreadable(_) | Was::Compared(_) => format!("Replace {target} by {source}?"),
        }
    }

    /// Copies the backup, checks the copy, and puts it in the place of the file, which is kept under
    /// another name. Returns that name.
    fn replace(
        &self,
        disk: &impl Disk,
        plan: &Plan,
        now: Timestamp,
    ) -> Result<Option<PathBuf>, Failure> {
        let source = self.source.records()?;
        let target = self.target.with_bucket_of(&self.source);
        // While it is held, no server opens it.
        let present = target.present()?;
        let path = target.path();
        let mut made = backup::beside(path, ".sessionup-restore-")?;
        backup::copy(self.source.path(), &mut made, path)?;
        drop(source);
        if backup::checked(&target, made.path(), now)? != plan.report {
            return Err(Failure::Refused(format!(
                "{} has changed while it was copied, try again; nothing was changed",
                self.source.path().display()
            )));
        }
        let unwritten = || while_doing(format!("{} could not be written", path.display()));
        if let Present::Nothing = present {
            // An empty file may be there.
            if path.exists() {
                fs::remove_file(path).map_err(unwritten())?;
            }
            durable::put(disk, made, path).map_err(unwritten())?;
            tell_owner(path);
            return Ok(None);
        }
        let former = fs::metadata(path).map_err(unwritten())?;
        take_owner(made.as_file(), &former, path)?;
        disk.sync_file(made.as_file()).map_err(unwritten())?;
        let kept = name_to_keep(path, now);
        keep(path, &kept)?;
        if let Err(failed) = made.persist(path) {
            // As before, by whichever way it was kept.
            let back = if path.exists() {
                fs::remove_file(&kept)
            } else {
                fs::rename(&kept, path)
            };
            back.map_err(unwritten())?;
            return Err(unwritten()(failed.error));
        }
        durable::sync_directory_of(disk, path).map_err(while_doing(format!(
            "{} was replaced, and a crash may undo that",
            path.display()
        )))?;
        drop(present);
        Ok(Some(kept))
    }
}

impl Plan {
    fn tell(&self, args: &Restore, now: Timestamp) -> Result<(), Failure> {
        output::tell(&format!("in the backup: {}", check::summary(&self.report)));
        let difference = match &self.present {
            Was::Nothing => {
                output::tell(
                    "there is no present file to compare the backup with: sessions that were revoked \
                     since it was made come back, so revoke all of them unless you know better",
                );
                return Ok(());
            }
            Was::Unreadable(why) => {
                output::tell(&format!(
                    "the present file cannot be read, so nobody can say which sessions come back: {why}"
                ));
                return Ok(());
            }
            Was::Compared(difference) => difference,
        };
        let older = difference.older_token.len();
        let ended = difference.come_back.len() - older;
        if ended > 0 {
            output::tell(&format!(
                "{} of the backup would come back, which were revoked or have ended since:",
                output::sessions(ended as u64)
            ));
            tell_first(&difference.first, ended, now);
        }
        if older > 0 {
            output::tell(&format!(
                "{} of the backup would come back with an older token, which was replaced since and may be \
                 stolen:",
                output::sessions(older as u64)
            ));
            tell_first(&difference.first_older, older, now);
        }
        if ended + older > 0 {
            output::tell(&format!(
                "Revoke them afterwards, before the server starts: sessionup revoke --db {} ID…, or --all",
                args.place.db.display()
            ));
        }
        if difference.gone > 0 {
            let (are, users) = match difference.gone {
                1 => ("is", "that user logs"),
                _ => ("are", "their users log"),
            };
            output::tell(&format!(
                "{} of the present file {are} not in the backup: {users} in again",
                output::sessions(difference.gone)
            ));
        }
        Ok(())
    }
}

/// Shows the first of some sessions, and how many more there are.
fn tell_first(first: &[Session], number: usize, now: Timestamp) {
    let table = SessionTable::of(first, true, true, now, output::width_aside());
    output::tell_safe(&(table.titles() + &table.rows(first)));
    table.tell_left_out();
    let more = (number - first.len()) as u64;
    if more > 0 {
        output::tell(&format!("and {}", output::count(more, "more", "more")));
    }
}

/// Says whether a record lets in a token that another record of the session does not.
fn has_older_token(backup: &Record, present: &Record, now: Timestamp) -> bool {
    let lets_replaced_in = |record: &Record| {
        let replaced = record.replaced.as_ref();
        replaced
            .filter(|replaced| replaced.accepted_until.is_none_or(|until| until > now))
            .map(|replaced| replaced.hash)
    };
    let again = lets_replaced_in(backup);
    backup.secret_hash != present.secret_hash
        || again.is_some() && again != lets_replaced_in(present)
}

/// How many sessions of each sort are shown that come back.
const SHOWN: usize = 50;

impl Difference {
    fn of(backup: &Records, present: &Records, now: Timestamp) -> Result<Self, Failure> {
        let mut difference = Self::default();
        let bar = output::bar("Comparing", backup.count()? + present.count()?);
        backup.each(|id, record| {
            bar.inc(1);
            let Ok(record) = record else { return Ok(()) };
            if !record.session.is_live(now) {
                return Ok(());
            }
            let first = match present.record(id)? {
                None => &mut difference.first,
                // One whose token was renewed since comes back with the token that it had.
                Some(present) if has_older_token(&record, &present, now) => {
                    difference.older_token.push(id);
                    &mut difference.first_older
                }
                Some(_) => return Ok(()),
            };
            difference.come_back.push(id);
            if first.len() < SHOWN {
                first.push(record.session);
            }
            Ok(())
        })?;
        present.each(|id, record| {
            bar.inc(1);
            let is_live = record.is_ok_and(|record| record.session.is_live(now));
            if is_live && !backup.has(id)? {
                difference.gone += 1;
            }
            Ok(())
        })?;
        bar.finish_and_clear();
        Ok(difference)
    }
}

fn lost_tables(path: &Path, names: &[String]) -> Failure {
    let names: Vec<_> = names.iter().map(|name| escape::quoted(name)).collect();
    Failure::Refused(format!(
        "{} has tables that the backup does not have: {}. They belong to an application, and would be in \
         the kept file alone. Say --force to replace the file all the same; nothing was changed",
        path.display(),
        names.join(", ")
    ))
}

/// What tells that a file is the same as before.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    length: u64,
    modified: Option<std::time::SystemTime>,
    #[cfg(unix)]
    number: (u64, u64),
}

fn seen(path: &Path) -> Option<Seen> {
    let found = fs::metadata(path).ok()?;
    Some(Seen {
        length: found.len(),
        modified: found.modified().ok(),
        #[cfg(unix)]
        number: {
            use std::os::unix::fs::MetadataExt;
            (found.dev(), found.ino())
        },
    })
}

/// The name under which a file is kept that is replaced.
fn name_to_keep(path: &Path, now: Timestamp) -> PathBuf {
    let time = now.to_string();
    let time = time.split('.').next().unwrap_or_default();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".before-{}Z", time.trim_end_matches('Z')));
    name.into()
}

/// Gives a file a second name, or where that cannot be another one. Writes over nothing.
fn keep(path: &Path, kept: &Path) -> Result<(), Failure> {
    let exists = || Failure::Exists {
        path: kept.to_owned(),
    };
    match fs::hard_link(path, kept) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Err(exists()),
        // A file system without links.
        Err(_) if fs::symlink_metadata(kept).is_ok() => Err(exists()),
        Err(_) => fs::rename(path, kept).map_err(while_doing(format!(
            "{} could not be kept as {}",
            path.display(),
            kept.display()
        ))),
        Ok(()) => Ok(()),
    }
}

/// Gives a file the owner and the mode of another one.
fn take_owner(made: &File, former: &Metadata, path: &Path) -> Result<(), Failure> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = made.metadata().ok();
        let is_own = own.is_some_and(|own| (own.uid(), own.gid()) == (former.uid(), former.gid()));
        if !is_own {
            let given = fchown(made, Some(former.uid()), Some(former.gid()));
            given.map_err(while_doing(format!(
                "{} belongs to user {}, and the restored file cannot be given to that user: run this as \
                 that user or as root; nothing was changed",
                path.display(),
                former.uid()
            )))?;
        }
    }
    let kept = made.set_permissions(former.permissions());
    kept.map_err(while_doing(format!(
        "the mode of {} could not be kept",
        path.display()
    )))
}

/// Says so if a new file belongs to another user than its directory does, which may be the server's.
fn tell_owner(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = |path: &Path| fs::metadata(path).map(|found| found.uid()).ok();
        let (file, directory) = (of(path), of(durable::directory(path)));
        if file != directory
            && let Some(file) = file
        {
            output::tell(&format!(
                "{} belongs to user {file}: give it to the user of the server (chown), or the server \
                 cannot open it",
                path.display()
            ));
        }
    }
    #[cfg(not(unix))]
    let _ = path;
}

#[cfg(test)]
mod tests {
    use super::super::backup::tests::{Notes, filled};
    use super::*;
    use crate::args::{Assent, Json};

    #[test]
    fn restore_syncs_file_and_directory() {
        let (directory, place) = filled();
        let source = directory.path().join("backup.redb");
        fs::copy(&place.db, &source).unwrap();
        let now = Timestamp::from_millis(1_795_372_745_981);
        let args = Restore {
            source,
            force: false,
            assent: Assent {
                dry_run: false,
                yes: true,
            },
            place,
            json: Json { json: false },
        };
        let files = Files::of(&args).unwrap();
        let plan = files.plan(&args, now).unwrap();
        let notes = Notes::default();
        let kept = files.replace(&notes, &plan, now).unwrap().unwrap();
        assert_eq!(*notes.0.borrow(), ["sync file", "sync directory"]);
        assert!(
            kept.to_str()
                .unwrap()
                .ends_with(".redb.before-20261122T183905Z")
        );
    }
}
