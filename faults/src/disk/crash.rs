//! What a loss of power can leave of a trace.
//!
//! What was done before the last complete sync began is there. Of what was done since, each effect is
//! there or not, whatever the order. A write may be torn: each of its sectors, of 512 or 4,096 bytes,
//! is as it was or as it was to be, and one is neither. Within the header of the database a byte is
//! the smallest sector, as a disk is assumed to leave alone what does not change; and its byte of
//! flags is whole.

use std::fmt;

use super::image::Image;
use super::trace::{Effect, Event, Trace};
use crate::campaign::{Rng, one_of};

/// A moment of a trace, with all that a crash may leave of it.
#[derive(Clone, Debug)]
pub struct Moment {
    /// The number of the event before which it lies.
    pub at: usize,
    /// What is there for certain.
    pub durable: Image,
    /// What may be there.
    pub pending: Vec<Effect>,
    /// How many operations were asked for.
    pub begun: usize,
    /// Whether the answer to each of them was on its way.
    pub answered: Vec<bool>,
    /// Whether a sync is complete next, so that no more is pending at any moment around it.
    pub is_fullest: bool,
}

/// Returns the moments of a trace that begins with this image: before each effect, before each end
/// of a sync, and at the end.
#[must_use]
pub fn moments(image: &Image, trace: &Trace) -> Vec<Moment> {
    let mut moments = Vec::new();
    let mut now = Moment {
        at: 0,
        durable: image.clone(),
        pending: Vec::new(),
        begun: 0,
        answered: Vec::new(),
        is_fullest: false,
    };
    let mut covered = 0;
    for (at, event) in trace.0.iter().enumerate() {
        now.at = at;
        now.is_fullest = matches!(event, Event::Synced);
        if now.is_fullest || event.effect().is_some() {
            moments.push(now.clone());
        }
        match event {
            Event::Write(..) | Event::SetLen(_) => now.pending.extend(event.effect()),
            Event::SyncBegun => covered = now.pending.len(),
            Event::Synced => {
                for effect in now.pending.drain(..covered.min(now.pending.len())) {
                    effect.apply(&mut now.durable);
                }
                covered = 0;
            }
            Event::Begun(_) => {
                now.begun += 1;
                now.answered.push(false);
            }
            Event::Answered(number) => {
                if let Some(answered) = now.answered.get_mut(*number) {
                    *answered = true;
                }
            }
        }
    }
    now.at = trace.0.len();
    now.is_fullest = true;
    moments.push(now);
    moments
}

/// What a crash leaves of what was pending, by which it can be made again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipe(Vec<Left>);

/// What is left of an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    Nothing,
    All,
    /// Some sectors of so many bytes, chosen by this seed.
    Torn(usize, u64),
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "of {} pending:", self.0.len())?;
        for (number, left) in self.0.iter().enumerate() {
            match left {
                Left::Nothing => {}
                Left::All => write!(f, " {number}")?,
                Left::Torn(sector, seed) => write!(f, " {number} torn at {sector} by {seed:#x}")?,
            }
        }
        Ok(())
    }
}

impl Moment {
    /// Returns what a crash at this moment may leave: all there is where little is pending, else each
    /// beginning of what is pending, and some other selections.
    pub fn recipes(&self, at_most_exhaustive: usize, others: usize, rng: &mut Rng) -> Vec<Recipe> {
        let count = self.pending.len();
        let is = |is_there: bool| if is_there { Left::All } else { Left::Nothing };
        let mut recipes = Vec::new();
        if count <= at_most_exhaustive {
            let all = 0..1_u32 << count;
            recipes.extend(
                all.map(|set| Recipe((0..count).map(|bit| is(set >> bit & 1 == 1)).collect())),
            );
        } else {
            let prefixes = 0..=count;
            recipes.extend(prefixes.map(|end| Recipe((0..count).map(|n| is(n < end)).collect())));
        }
        if count > 0 {
            recipes.extend((0..others).map(|_| self.random(rng)));
        }
        recipes
    }

    /// Draws one of all things that a crash may leave.
    pub fn random(&self, rng: &mut Rng) -> Recipe {
        let kept = one_of(rng, [32, 128, 224]);
        let torn = one_of(rng, [0, 16, 128]);
        let pending = self.pending.iter();
        Recipe(
            pending
                .map(|effect| match effect {
                    _ if rng.u8(..) >= kept => Left::Nothing,
                    Effect::Write(..) if rng.u8(..) < torn => {
                        Left::Torn(if rng.bool() { 512 } else { 4_096 }, rng.u64(..))
                    }
                    Effect::Write(..) | Effect::SetLen(_) => Left::All,
                })
                .collect(),
        )
    }

    /// Makes the file that the crash leaves.
    #[must_use]
    pub fn image(&self, recipe: &Recipe) -> Image {
        let mut image = self.durable.clone();
        for (effect, left) in self.pending.iter().zip(&recipe.0) {
            match (left, effect) {
                (Left::Nothing, _) => {}
                (Left::Torn(sector, seed), Effect::Write(offset, bytes)) => {
                    tear(&mut image, *offset, bytes, *sector, *seed);
                }
                (Left::All | Left::Torn(..), _) => effect.apply(&mut image),
            }
        }
        image
    }
}

/// Writes some of the sectors of a write, and garbage into one.
fn tear(image: &mut Image, offset: u64, bytes: &[u8], sector: usize, seed: u64) {
    let mut rng = Rng::with_seed(seed);
    if offset < HEADER {
        tear_header(image, offset, bytes, &mut rng);
        return;
    }
    let sectors: Vec<_> = (offset..)
        .step_by(sector)
        .zip(bytes.chunks(sector))
        .collect();
    let garbled = rng.bool().then(|| rng.usize(..sectors.len().max(1)));
    for (number, (at, sector)) in sectors.into_iter().enumerate() {
        if Some(number) == garbled {
            let mut garbage = sector.to_vec();
            rng.fill(&mut garbage);
            image.write(at, &garbage);
        } else if rng.bool() {
            image.write(at, sector);
        }
    }
}

const HEADER: u64 = 512;
/// Where the flags are, of which redb relies on that they are written at once.
const FLAGS: u64 = 9;

fn tear_header(image: &mut Image, offset: u64, bytes: &[u8], rng: &mut Rng) {
    let mut before = vec![0; bytes.len()];
    if image.read(offset, &mut before).is_err() {
        // The file is not that long: nothing of the write is there.
        return;
    }
    // From the front, or anywhere.
    let cut = rng.bool().then(|| rng.usize(..=bytes.len()));
    for (place, (new, old)) in bytes.iter().zip(before).enumerate() {
        let at = offset + place as u64;
        let is_there = cut.map_or_else(|| rng.bool(), |cut| place < cut);
        if *new == old || !is_there {
            continue;
        }
        let is_garbled = at != FLAGS && rng.u8(..16) == 0;
        image.write(at, &[if is_garbled { rng.u8(..) } else { *new }]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(offset: u64, byte: u8, count: usize) -> Event {
        Event::Write(offset, vec![byte; count].into())
    }

    fn trace() -> Trace {
        Trace(vec![
            Event::Begun(0),
            write(4_096, 1, 4_096),
            Event::SyncBegun,
            write(8_192, 2, 4_096),
            Event::Synced,
            Event::Answered(0),
            Event::SetLen(4_096),
        ])
    }

    #[test]
    fn sync_covers_what_was_done_before_it_began() {
        let moments = moments(&Image::of(&[0; 12_288]), &trace());
        let [first, second, synced, shrunk, end] = moments.as_slice() else {
            panic!("{moments:#?}");
        };
        assert_eq!(
            [first.at, second.at, synced.at, shrunk.at, end.at],
            [1, 3, 4, 6, 7]
        );
        assert_eq!(
            [first, second, synced, shrunk, end].map(|m| m.pending.len()),
            [0, 1, 2, 1, 2]
        );
        assert_eq!(
            (synced.durable.page(1)[0], shrunk.durable.page(1)[0]),
            (0, 1)
        );
        assert_eq!(
            (&synced.answered[..], &end.answered[..]),
            (&[false][..], &[true][..])
        );
        assert_eq!(
            [synced.is_fullest, end.is_fullest, first.is_fullest],
            [true, true, false]
        );
    }

    #[test]
    fn all_selections_of_few_effects() {
        let moments = moments(&Image::of(&[0; 12_288]), &trace());
        let end = moments.last().unwrap();
        let recipes = end.recipes(12, 0, &mut Rng::with_seed(0));
        let mut found: Vec<_> = recipes
            .iter()
            .map(|recipe| end.image(recipe))
            .map(|image| (image.len(), image.page(2)[0]))
            .collect();
        found.sort_unstable();
        assert_eq!(found, [(4_096, 0), (4_096, 0), (12_288, 0), (12_288, 2)]);
    }

    #[test]
    fn torn_sector_is_old_new_or_the_one_that_is_neither() {
        for seed in 0..500 {
            let (mut image, mut seen) = (Image::of(&[0; 8_192]), 0);
            tear(&mut image, 4_096, &[7; 4_096], 512, seed);
            let page = image.page(1);
            for sector in page.chunks(512) {
                seen += usize::from(sector != [0; 512] && sector != [7; 512]);
            }
            assert!(seen <= 1, "{seed}");
            assert_eq!(image.page(0), [0; 4_096]);
        }
    }

    #[test]
    fn bytes_of_the_header_that_do_not_change_stay() {
        let old: Vec<u8> = (0..=249).cycle().take(320).collect();
        let mut new = old.clone();
        new[9] = 99;
        new[100..120].fill(0);
        let mut was_torn = false;
        for seed in 0..500 {
            let mut image = Image::of(&[old.as_slice(), &[0; 4_096]].concat());
            tear(&mut image, 0, &new, 512, seed);
            let page = image.page(0);
            for (at, (found, old)) in page.iter().zip(&old).enumerate() {
                assert!(
                    found == old || at == 9 || (100..120).contains(&at),
                    "{seed} {at}"
                );
            }
            assert!([9, 99].contains(&page[9]));
            was_torn |= page[..320] != old[..] && page[..320] != new[..];
        }
        assert!(was_torn);
    }
}
