//! `sessionup show`

use sessionup_core::Timestamp;

use crate::args::Show;
use crate::failure::Failure;
use crate::output;
use crate::store::Place;
use crate::view::{self, SessionView};

pub(super) fn run(args: &Show, now: Timestamp) -> Result<(), Failure> {
    let id = super::id(&args.id)?;
    let view = Place::from(&args.place).look()?;
    let Some((_, session)) = view.find(id)? else {
        return Err(Failure::NotFound("there is no session with this id".into()));
    };
    let session = session?;
    if args.json.json {
        output::json(&SessionView::of(&session, now))
    } else {
        output::print(&view::page(&session, now))
    }
}
