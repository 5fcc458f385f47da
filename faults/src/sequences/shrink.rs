//! From a script that fails to the shortest part of it that does.

/// Takes things away, many and then one by one, as long as what is left still fails. `fails` is asked
/// at most so often.
pub(super) fn shrink<T: Clone>(
    mut all: Vec<T>,
    mut asks: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut size = all.len().div_ceil(2);
    while size > 0 {
        let mut from = 0;
        let before = all.len();
        while from < all.len() {
            if asks == 0 {
                return all;
            }
            asks -= 1;
            let kept = all.iter().take(from).chain(all.iter().skip(from + size));
            let less: Vec<_> = kept.cloned().collect();
            if fails(&less) {
                all = less;
            } else {
                from += size;
            }
        }
        // Once more through single ones: what had to be there for one that went may go too.
        if size > 1 || all.len() == before {
            size /= 2;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_together_is_left() {
        let needed = [7, 20, 21, 63];
        let fails = |some: &[i32]| needed.iter().all(|it| some.contains(it));
        assert_eq!(shrink((0..100).collect(), 1_000, fails), needed);
    }

    #[test]
    fn what_is_needed_only_by_another_goes_with_it() {
        // 1 fails if 2 is not there, and 2 matters to nothing else.
        let fails = |some: &[i32]| some.contains(&5) && some.contains(&1) == some.contains(&2);
        assert_eq!(shrink((0..10).collect(), 1_000, fails), [5]);
    }

    #[test]
    fn stops_when_it_has_asked_enough() {
        let mut asked = 0;
        let left = shrink((0..100).collect::<Vec<_>>(), 10, |_| {
            asked += 1;
            false
        });
        assert_eq!((left.len(), asked), (100, 10));
    }
}
