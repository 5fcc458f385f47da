//! Whether calls that ran at once can be explained by an order of single steps.
//!
//! The search of Wing and Gong with Lowe's memory of what was seen: take any call that no other one
//! had returned before, carry it out, go on; where the answer does not fit, go back. A set of calls
//! that was already carried out to the same state is not tried again.

mod calls;
mod order;
mod store;

use std::collections::HashSet;
use std::fmt::Debug;

use calls::Calls;
pub use order::Order;

/// What calls are made to: a state, and what may come of a call.
pub trait Object: Clone {
    /// What is asked.
    type Op: Clone + Debug;
    /// What is answered.
    type Answer: Clone + Debug;

    /// Returns the states that there may be after an operation that was answered so; none if that
    /// cannot be the answer. Without an answer, any answer will do.
    fn after(&self, op: &Self::Op, answer: Option<&Self::Answer>) -> Vec<Self>;

    /// Returns a number that states have in common only if they are the same.
    fn fingerprint(&self) -> u64;

    /// Says whether an operation leaves every state as it is.
    fn is_read(op: &Self::Op) -> bool;
}

/// One call. Moments are numbers of an [`Order`].
#[derive(Clone, Debug)]
pub struct Call<O: Object> {
    /// Who called.
    pub client: usize,
    /// What was asked.
    pub op: O::Op,
    /// What was answered; `None` if nobody knows.
    pub answer: Option<O::Answer>,
    /// The moment of the call. No other call has the same.
    pub called: u64,
    /// The moment of the answer; `None` if it may take effect at any later time, or never.
    pub returned: Option<u64>,
    /// The call that takes effect before this one, by its moment.
    pub after: Option<u64>,
}

/// What came of a search.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// There is an order.
    Explained,
    /// There is none.
    Unexplained,
    /// There were more possibilities than are tried, or more calls than can be searched.
    Undecided,
}

/// Most calls that can be searched.
pub const LONGEST: usize = 256;

/// Looks for an order that explains all calls, through at most so many states.
pub fn check<O: Object>(start: &O, calls: &[Call<O>], at_most: usize) -> Verdict {
    if calls.len() > LONGEST {
        return Verdict::Undecided;
    }
    // Who returned first is tried first.
    let mut calls: Vec<_> = calls.iter().collect();
    calls.sort_by_key(|call| call.returned.unwrap_or(u64::MAX));
    let at = |called: u64| calls.iter().position(|call| call.called == called);
    let calls: Vec<_> = calls
        .iter()
        .map(|call| Node {
            call,
            needs: call.after.and_then(at),
        })
        .collect();
    let all = calls.iter().enumerate();
    let returned = all.filter(|(_, node)| node.call.returned.is_some());
    let mut search = Search {
        must: returned.fold(Calls::default(), |all, (at, _)| all.and(at)),
        calls,
        seen: HashSet::new(),
        at_most,
    };
    match search.goes_on(Calls::default(), start) {
        true => Verdict::Explained,
        false if search.seen.len() >= at_most => Verdict::Undecided,
        false => Verdict::Unexplained,
    }
}

struct Node<'a, O: Object> {
    call: &'a Call<O>,
    /// The call that must be done before.
    needs: Option<usize>,
}

struct Search<'a, O: Object> {
    calls: Vec<Node<'a, O>>,
    must: Calls,
    seen: HashSet<(Calls, u64)>,
    at_most: usize,
}

impl<O: Object> Search<'_, O> {
    fn goes_on(&mut self, done: Calls, state: &O) -> bool {
        if done.have_all_of(self.must) {
            return true;
        }
        if self.seen.len() >= self.at_most || !self.seen.insert((done, state.fingerprint())) {
            return false;
        }
        let open = self.calls.iter().enumerate();
        let open = open.filter(|(at, _)| !done.have(*at));
        let first_return = open.filter_map(|(_, node)| node.call.returned).min();
        let first_return = first_return.unwrap_or(u64::MAX);
        for at in 0..self.calls.len() {
            let Some(Node { call, needs }) = self.calls.get(at) else {
                break;
            };
            let can_be_next = !done.have(at)
                && needs.is_none_or(|needed| done.have(needed))
                && call.called < first_return;
            if !can_be_next {
                continue;
            }
            let done = done.and(at);
            for next in state.after(&call.op, call.answer.as_ref()) {
                if self.goes_on(done, &next) {
                    return true;
                }
            }
        }
        false
    }
}

/// Leaves calls out as long as what is left is still unexplained, for somebody to read: what came
/// after the first answer that nothing explains, and reads that do not matter.
pub fn shortest<O: Object>(start: &O, calls: &[Call<O>], at_most: usize) -> Vec<Call<O>> {
    let is_unexplained = |calls: &[Call<O>]| check(start, calls, at_most) == Verdict::Unexplained;
    let mut ends: Vec<_> = calls.iter().filter_map(|call| call.returned).collect();
    ends.sort_unstable();
    let prefixes = ends.iter().map(|end| until(calls, *end));
    let mut shortest = prefixes
        .into_iter()
        .find(|calls| is_unexplained(calls))
        .unwrap_or_else(|| calls.to_vec());
    let mut at = 0;
    while at < shortest.len() {
        let mut less = shortest.clone();
        let left_out = less.remove(at);
        if O::is_read(&left_out.op) && is_unexplained(&less) {
            shortest = less;
        } else {
            at += 1;
        }
    }
    shortest.sort_by_key(|call| call.called);
    shortest
}

/// The calls as they looked at a moment.
fn until<O: Object>(calls: &[Call<O>], end: u64) -> Vec<Call<O>> {
    let begun = calls.iter().filter(|call| call.called <= end).cloned();
    begun
        .map(|mut call| {
            if call.returned.is_some_and(|returned| returned > end) {
                (call.returned, call.answer) = (None, None);
            }
            call
        })
        .collect()
}

#[cfg(test)]
mod tests;
