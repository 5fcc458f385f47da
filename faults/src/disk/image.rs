//! The bytes of a file.

use std::io::{self, ErrorKind};
use std::sync::Arc;

/// Bytes of a page.
pub const PAGE: usize = 4_096;

/// The bytes of a file. A copy shares the pages that are changed in neither.
#[derive(Clone, Default)]
pub struct Image {
    /// Pages without content are not there.
    pages: Vec<Option<Arc<[u8; PAGE]>>>,
    len: u64,
}

/// The same bytes. Zeros that were written are zeros as those that were not.
impl PartialEq for Image {
    fn eq(&self, other: &Self) -> bool {
        let is_same = |page| match (self.pages.get(page), other.pages.get(page)) {
            (Some(Some(one)), Some(Some(another))) if Arc::ptr_eq(one, another) => true,
            _ => self.page(page) == other.page(page),
        };
        self.len == other.len && (0..self.pages.len()).all(is_same)
    }
}

impl Eq for Image {}

impl std::fmt::Debug for Image {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Image")
            .field("len", &self.len)
            .finish_non_exhaustive()
    }
}

impl Image {
    /// Makes a file of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut image = Self::default();
        image.write(0, bytes);
        image
    }

    /// Returns the length.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Says whether there is nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Returns how many pages there are, the last of which may be cut off.
    #[must_use]
    pub fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Cuts the file off, or fills it up with zeros.
    pub fn set_len(&mut self, len: u64) {
        let pages = usize::try_from(len.div_ceil(PAGE as u64)).unwrap_or(usize::MAX);
        self.pages.resize(pages, None);
        let rest = usize::try_from(len % PAGE as u64).unwrap_or(0);
        if rest > 0
            && len < self.len
            && let Some(Some(last)) = self.pages.last_mut()
            && let Some(cut) = Arc::make_mut(last).get_mut(rest..)
        {
            cut.fill(0);
        }
        self.len = len;
    }

    /// Reads.
    ///
    /// # Errors
    ///
    /// Beyond the end.
    pub fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset.saturating_add(out.len() as u64) > self.len {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        let (mut page, mut at) = place(offset);
        let mut rest = out;
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut(rest.len().min(PAGE - at));
            match self.pages.get(page).and_then(Option::as_ref) {
                Some(from) => now.copy_from_slice(from.get(at..at + now.len()).unwrap_or_default()),
                None => now.fill(0),
            }
            (rest, page, at) = (later, page + 1, 0);
        }
        Ok(())
    }

    /// Writes. Beyond the end, the file grows.
    pub fn write(&mut self, offset: u64, bytes: &[u8]) {
        let end = offset.saturating_add(bytes.len() as u64);
        if end > self.len && !bytes.is_empty() {
            self.set_len(end);
        }
        let (mut page, mut at) = place(offset);
        let mut rest = bytes;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(PAGE - at));
            if let Some(to) = self.pages.get_mut(page) {
                let to = Arc::make_mut(to.get_or_insert_with(|| Arc::new([0; PAGE])));
                if let Some(to) = to.get_mut(at..at + now.len()) {
                    to.copy_from_slice(now);
                }
            }
            (rest, page, at) = (later, page + 1, 0);
        }
    }

    /// Returns all bytes of a page; zeros where there are none.
    #[must_use]
    pub fn page(&self, page: usize) -> [u8; PAGE] {
        let content = self.pages.get(page).and_then(Option::as_ref);
        content.map_or([0; PAGE], |content| **content)
    }
}

fn place(offset: u64) -> (usize, usize) {
    let page = usize::try_from(offset / PAGE as u64).unwrap_or(usize::MAX);
    (page, usize::try_from(offset % PAGE as u64).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::campaign::Rng;

    fn bytes(image: &Image) -> Vec<u8> {
        let mut bytes = vec![1; usize::try_from(image.len()).unwrap()];
        image.read(0, &mut bytes).unwrap();
        bytes
    }

    /// As a vector, which is the simplest file there is.
    #[test]
    fn is_as_a_vector() {
        for seed in 0..300 {
            let mut rng = Rng::with_seed(seed);
            let (mut image, mut plain) = (Image::default(), Vec::new());
            let mut copies = Vec::new();
            for _ in 0..20 {
                let (offset, len) = (rng.usize(..9_000), rng.usize(..9_000));
                if rng.u8(..4) == 0 {
                    image.set_len(len as u64);
                    plain.resize(len, 0);
                } else {
                    let written = vec![rng.u8(..); len];
                    image.write(offset as u64, &written);
                    if len > 0 {
                        plain.resize(plain.len().max(offset + len), 0);
                        plain[offset..offset + len].copy_from_slice(&written);
                    }
                }
                assert_eq!(bytes(&image), plain, "seed {seed}");
                copies.push((image.clone(), plain.clone()));
            }
            for (copy, plain) in copies {
                assert_eq!(bytes(&copy), plain, "a copy was changed");
            }
            let mut beyond = [0];
            assert!(image.read(image.len(), &mut beyond).is_err());
        }
    }

    #[test]
    fn same_bytes_are_the_same_however_they_came_about() {
        let mut cut_off = Image::of(&[7; 3 * PAGE]);
        cut_off.set_len(PAGE as u64);
        cut_off.set_len(2 * PAGE as u64);
        let written = Image::of(&[[7; PAGE], [0; PAGE]].concat());
        assert_eq!(cut_off, written);
        assert_ne!(cut_off, Image::of(&[7; 2 * PAGE]));
        assert_ne!(cut_off, Image::of(&[7; PAGE]));
    }
}
