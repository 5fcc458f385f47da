//! `sessionup show`

use sessionup_core::Timestamp;

use crate::args::Show;
use crate::failure::Failure;
use crate::ids::{self, Wanted};
use crate::output;
use crate::store::Place;
use crate::view::{self, SessionView};

pub(super) fn run(args: &Show, now: Timestamp) -> Result<(), Failure> {
    let wanted = [Wanted::parse(&args.id)?];
    let place = Place::from(&args.place);
    let missing = || Failure::NotFound("there is no session with this id".into());
    let resolved = ids::resolve(&wanted, &place)?;
    let id = resolved.ids.first().ok_or_else(missing)?;
    // The file is free again before anything is printed.
    let found = place.look()?.find(*id)?;
    let (_, session) = found.ok_or_else(missing)?;
    let session = session?;
    if args.json.json {
        output::json(&SessionView::of(&session, now))
    } else {
        output::print(&view::page(&session, now))
    }
}
