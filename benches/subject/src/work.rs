//! What a subject's process does for a request, and how it measures that.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::acts::{self, Act};
use crate::message::{Among, Crowded, Figures, Reply, Request};
use crate::population::{CROWD, Population};
use crate::{Error, Subject, size_of_files};

/// A subject, the sessions that it has, and those that were created since.
pub(crate) struct Work<S> {
    subject: Option<Arc<S>>,
    population: Population,
    /// The number of the next session.
    next: u64,
    /// Of those that were created, the first that is not ended yet.
    ended: u64,
    /// The next user who comes to leave.
    leaver: u64,
    /// Number of sessions of the large account.
    crowd: u64,
    seed: u64,
}

impl<S> Default for Work<S> {
    fn default() -> Self {
        Self {
            subject: None,
            population: Population::new(0, SystemTime::UNIX_EPOCH),
            next: 0,
            ended: 0,
            leaver: 0,
            crowd: 0,
            seed: 1,
        }
    }
}

/// Sessions that are handed to a store at a time when it is filled.
const PORTION: u64 = 10_000;

impl<S: Subject> Work<S> {
    pub(crate) async fn answer(
        &mut self,
        request: Request,
        directory: &Path,
    ) -> Result<Reply, Error> {
        self.seed += 1;
        match request {
            Request::Open => {
                let begun = Instant::now();
                self.subject = Some(Arc::new(S::open(directory).await?));
                Ok(took(begun.elapsed()))
            }
            Request::Close => {
                let subject = self.subject.take().ok_or("it is not open")?;
                let subject = Arc::into_inner(subject).ok_or("it is still in use")?;
                let begun = Instant::now();
                subject.close().await?;
                Ok(took(begun.elapsed()))
            }
            Request::Fill { sessions } => self.fill(sessions).await,
            Request::Assume { sessions, next } => {
                self.population = Population::new(sessions, now());
                (self.next, self.ended) = (next, next);
                Ok(Reply::Done(Figures::new()))
            }
            Request::Create { callers, count } => self.create(callers, count).await,
            Request::Fetch {
                callers,
                count,
                among,
            } => self.fetch(callers, count, among).await,
            Request::List { callers, count } => self.list(callers, count).await,
            Request::Delete { callers, count } => self.delete(callers, count).await,
            Request::DeleteUser { callers, count } => self.delete_user(callers, count).await,
            Request::Prune => self.prune().await,
            Request::Crowd {
                act,
                sessions,
                callers,
                count,
            } => self.crowd(act, sessions, callers, count).await,
            Request::Size => self.size(directory),
            Request::Serve { cookies } => self.serve(cookies).await,
        }
    }

    fn subject(&self) -> Result<Arc<S>, Error> {
        self.subject.clone().ok_or_else(|| "it is not open".into())
    }

    async fn fill(&mut self, sessions: u64) -> Result<Reply, Error> {
        self.population = Population::new(sessions, now());
        let subject = self.subject()?;
        let begun = Instant::now();
        for first in (0..sessions).step_by(usize::try_from(PORTION)?) {
            let portion = first..sessions.min(first + PORTION);
            let entries = portion
                .map(|number| self.population.entry(number))
                .collect();
            subject.fill(entries).await?;
        }
        (self.next, self.ended) = (sessions, sessions);
        Ok(took(begun.elapsed()))
    }

    async fn create(&mut self, callers: u64, count: u64) -> Result<Reply, Error> {
        let numbers = self.next..self.next + count;
        self.next = numbers.end;
        let act = acts::Create(self.population);
        self.writes(act, callers, numbers).await
    }

    async fn delete(&mut self, callers: u64, count: u64) -> Result<Reply, Error> {
        let numbers = self.ended..self.ended + count;
        if numbers.end > self.next {
            return Err("fewer sessions were created than are to be ended".into());
        }
        self.ended = numbers.end;
        self.writes(acts::Delete, callers, numbers).await
    }

    async fn delete_user(&mut self, callers: u64, count: u64) -> Result<Reply, Error> {
        let leavers = self.leaver..self.leaver + count;
        self.leaver = leavers.end;
        let (subject, population) = (self.subject()?, self.population);
        if !subject.delete_user("nobody").await? {
            return Ok(Reply::Cannot);
        }
        let theirs = leavers.clone().map(|leaver| population.leaver(leaver).1);
        subject.fill(theirs.flatten().collect()).await?;
        self.writes(acts::DeleteUser(population), callers, leavers)
            .await
    }

    async fn fetch(&mut self, callers: u64, count: u64, among: Among) -> Result<Reply, Error> {
        let population = self.population;
        let pick = |random: &mut fastrand::Rng| match among {
            Among::InUse => population.in_use(random),
            Among::All => population.any(random),
            Among::Missing => population.missing(random),
        };
        let act = acts::Fetch {
            is_there: among != Among::Missing,
        };
        self.reads(act, callers, count, pick).await
    }

    async fn list(&mut self, callers: u64, count: u64) -> Result<Reply, Error> {
        let population = self.population;
        if self.subject()?.list("nobody").await?.is_none() {
            return Ok(Reply::Cannot);
        }
        let pick = |random: &mut fastrand::Rng| population.user(random);
        self.reads(acts::List, callers, count, pick).await
    }

    /// Writes, each of which is timed for itself.
    async fn writes(
        &self,
        act: impl Act<S, On = u64>,
        callers: u64,
        numbers: Range<u64>,
    ) -> Result<Reply, Error> {
        let subject = self.subject()?;
        let count = numbers.end - numbers.start;
        // Whoever comes next takes the next number, so that ids are about in order of time.
        let next = Arc::new(AtomicU64::new(numbers.start));
        let before = (subject.commits(), written(&*subject));
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..callers.min(count) {
            let (subject, act, next) = (Arc::clone(&subject), act.clone(), Arc::clone(&next));
            tasks.push(tokio::spawn(async move {
                let mut waits = Vec::new();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= numbers.end {
                        return Ok::<_, Error>(waits);
                    }
                    let begun = Instant::now();
                    act.act(&subject, number).await?;
                    waits.push(begun.elapsed());
                }
            }));
        }
        let mut waits = Vec::new();
        for task in tasks {
            waits.extend(task.await??);
        }
        let mut figures = rate(begun.elapsed(), count);
        put_waits(&mut figures, waits);
        let after = (subject.commits(), written(&*subject));
        let counters = [
            ("commits", before.0, after.0),
            ("written", before.1, after.1),
        ];
        for (name, before, after) in counters {
            if let (Some(before), Some(after), 1..) = (before, after, count) {
                put(
                    &mut figures,
                    name,
                    ratio(after.saturating_sub(before), count),
                );
            }
        }
        Ok(Reply::Done(figures))
    }

    /// Reads, timed all together: one may be shorter than a look at the clock.
    async fn reads<A: Act<S>>(
        &self,
        act: A,
        callers: u64,
        count: u64,
        pick: impl Fn(&mut fastrand::Rng) -> A::On,
    ) -> Result<Reply, Error> {
        let subject = self.subject()?;
        let share = count.div_ceil(callers);
        // To pick is no part of what is measured.
        let picks: Vec<Vec<A::On>> = (0..callers)
            .map(|caller| {
                let mut random = fastrand::Rng::with_seed(self.seed << 16 | caller);
                (0..share).map(|_| pick(&mut random)).collect()
            })
            .collect();
        let begun = Instant::now();
        let mut tasks = Vec::new();
        for picks in picks {
            let (subject, act) = (Arc::clone(&subject), act.clone());
            tasks.push(tokio::spawn(async move {
                for picked in picks {
                    act.act(&subject, picked).await?;
                }
                Ok::<_, Error>(())
            }));
        }
        for task in tasks {
            task.await??;
        }
        Ok(Reply::Done(rate(begun.elapsed(), share * callers)))
    }

    /// Prunes, and has one caller create sessions before and meanwhile.
    async fn prune(&mut self) -> Result<Reply, Error> {
        let subject = self.subject()?;
        let (population, first) = (self.population, self.next);
        self.next += 1 << 24;
        let mut usual = Vec::new();
        for number in first..first + 500 {
            let begun = Instant::now();
            subject.create(population.entry(number)).await?;
            usual.push(begun.elapsed());
        }
        let begun = Instant::now();
        let pruning = tokio::spawn({
            let subject = Arc::clone(&subject);
            async move { subject.prune().await }
        });
        let mut waits = Vec::new();
        let mut number = first + 500;
        while !pruning.is_finished() {
            let begun = Instant::now();
            subject.create(population.entry(number)).await?;
            waits.push(begun.elapsed());
            number += 1;
        }
        if !pruning.await?? {
            return Ok(Reply::Cannot);
        }
        let Reply::Done(mut figures) = took(begun.elapsed()) else {
            return Ok(Reply::Cannot);
        };
        put_waits(&mut figures, waits);
        usual.sort_unstable();
        let middle = usual.get(usual.len() / 2).copied().unwrap_or_default();
        put(&mut figures, "usual", micros(middle));
        Ok(Reply::Done(figures))
    }

    /// Has sessions created before and while an account with very many is listed or revoked.
    async fn crowd(
        &mut self,
        act: Crowded,
        sessions: u64,
        callers: u64,
        count: u64,
    ) -> Result<Reply, Error> {
        let (subject, population) = (self.subject()?, self.population);
        let is_possible = match act {
            Crowded::Listed => subject.list("nobody").await?.is_some(),
            Crowded::Revoked => subject.delete_user("nobody").await?,
        };
        if !is_possible {
            return Ok(Reply::Cannot);
        }
        for first in (self.crowd..sessions).step_by(usize::try_from(PORTION)?) {
            let portion = first..sessions.min(first + PORTION);
            let entries = portion.map(|nth| population.crowd(nth)).collect();
            subject.fill(entries).await?;
        }
        self.crowd = sessions;
        let Reply::Done(usual) = self.create(callers, count).await? else {
            return Ok(Reply::Cannot);
        };

        let numbers = Arc::new(AtomicU64::new(self.next));
        let least = self.next + count;
        self.next += 1 << 32;
        let (is_over, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
        let crowd = tokio::spawn({
            let (subject, is_over) = (Arc::clone(&subject), Arc::clone(&is_over));
            async move {
                let mut acts = 0_u64;
                match act {
                    Crowded::Revoked => {
                        subject.delete_user(CROWD).await?;
                        acts += 1;
                        let took = begun.elapsed();
                        is_over.store(true, Ordering::SeqCst);
                        return Ok::<_, Error>((acts, took));
                    }
                    Crowded::Listed => {
                        while !is_over.load(Ordering::SeqCst) {
                            subject.list(CROWD).await?;
                            acts += 1;
                        }
                    }
                }
                Ok((acts, begun.elapsed()))
            }
        });
        let mut creating = Vec::new();
        for _ in 0..callers {
            let (subject, numbers) = (Arc::clone(&subject), Arc::clone(&numbers));
            let is_over = Arc::clone(&is_over);
            creating.push(tokio::spawn(async move {
                let mut waits = Vec::new();
                loop {
                    let number = numbers.fetch_add(1, Ordering::Relaxed);
                    let is_enough = number >= least;
                    if is_enough && (act == Crowded::Listed || is_over.load(Ordering::SeqCst)) {
                        return Ok::<_, Error>(waits);
                    }
                    let begun = Instant::now();
                    subject.create(population.entry(number)).await?;
                    waits.push(begun.elapsed());
                }
            }));
        }
        let mut waits = Vec::new();
        for task in creating {
            waits.extend(task.await??);
        }
        let took = begun.elapsed();
        is_over.store(true, Ordering::SeqCst);
        let (acts, crowd) = crowd.await??;
        if act == Crowded::Revoked {
            self.crowd = 0;
        }
        let mut figures = rate(took, waits.len() as u64);
        put_waits(&mut figures, waits);
        put(
            &mut figures,
            "ms",
            crowd.as_secs_f64() * 1e3 / acts.max(1) as f64,
        );
        for (of, name) in [("ns", "usual-ns"), ("max", "usual-max")] {
            if let Some(figure) = usual.get(of) {
                put(&mut figures, name, *figure);
            }
        }
        Ok(Reply::Done(figures))
    }

    fn size(&self, directory: &Path) -> Result<Reply, Error> {
        let mut figures = Figures::new();
        put(&mut figures, "file", size_of_files(directory)? as f64);
        let servers = self.subject()?.servers();
        put(&mut figures, "servers", servers.len() as f64);
        let processes = std::iter::once(std::process::id()).chain(servers);
        let resident: Option<u64> = processes.map(resident).sum();
        if let Some(resident) = resident {
            put(&mut figures, "resident", resident as f64);
        }
        Ok(Reply::Done(figures))
    }

    async fn serve(&mut self, cookies: u64) -> Result<Reply, Error> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        let numbers = (0..cookies).map(|_| self.population.in_use(&mut random));
        let numbers: Vec<u64> = numbers.collect();
        Ok(match self.subject()?.serve(&numbers).await? {
            Some((port, cookies)) => Reply::Serves { port, cookies },
            None => Reply::Cannot,
        })
    }
}

fn took(time: Duration) -> Reply {
    Reply::Done(Figures::from([("ms".to_owned(), time.as_secs_f64() * 1e3)]))
}

/// Returns the time of one operation; nothing if there was none.
fn rate(time: Duration, count: u64) -> Figures {
    let mut figures = Figures::new();
    if count > 0 {
        put(&mut figures, "ns", time.as_secs_f64() * 1e9 / count as f64);
    }
    figures
}

fn put(figures: &mut Figures, name: &str, figure: f64) {
    figures.insert(name.to_owned(), figure);
}

fn put_waits(figures: &mut Figures, mut waits: Vec<Duration>) {
    waits.sort_unstable();
    for (name, per_cent) in [("p50", 50), ("p99", 99), ("max", 100)] {
        let nth = (waits.len() * per_cent / 100).min(waits.len().saturating_sub(1));
        if let Some(wait) = waits.get(nth) {
            put(figures, name, micros(*wait));
        }
    }
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}

fn ratio(of: u64, count: u64) -> f64 {
    of as f64 / count as f64
}

/// Bytes that were given to the operating system to write, also to sockets; where that is told.
fn written(subject: &impl Subject) -> Option<u64> {
    match subject.servers().as_slice() {
        [] => counter("/proc/self/io", "wchar:"),
        servers => servers
            .iter()
            .map(|server| counter(&format!("/proc/{server}/io"), "wchar:"))
            .sum(),
    }
}

/// Bytes of memory that a process has.
fn resident(process: u32) -> Option<u64> {
    counter(&format!("/proc/{process}/status"), "VmRSS:").map(|kib| kib * 1024)
}

fn counter(file: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the stores of others take no time as an argument"
)]
fn now() -> SystemTime {
    SystemTime::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_of_no_operations_is_no_figure() {
        assert_eq!(rate(Duration::from_secs(1), 0), Figures::new());
        let of_two = rate(Duration::from_secs(1), 2);
        assert_eq!(of_two.get("ns"), Some(&5e8));
    }
}
