use super::*;

const BYTES: u64 = 200_000;

fn reserve() -> (tempfile::TempDir, FileReserve) {
    let directory = tempfile::tempdir().unwrap();
    let reserve = FileReserve::beside(&directory.path().join("sessions.redb"));
    (directory, reserve)
}

#[test]
fn room_is_taken_with_bytes_that_do_not_shrink() {
    let (directory, reserve) = reserve();
    reserve.take(BYTES).unwrap();

    let path = directory.path().join("sessions.redb.reserve");
    let bytes = fs::read(&path).unwrap();
    assert_eq!(bytes.len() as u64, BYTES);
    assert!(bytes.starts_with(MARK));
    let words: std::collections::BTreeSet<_> = bytes[PIECE..].chunks_exact(8).collect();
    assert!(words.len() as u64 > (BYTES - PIECE as u64) / 8 - 8);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let found = fs::metadata(&path).unwrap();
        assert!(found.blocks() * 512 >= BYTES, "it has holes");
        assert_eq!(found.mode() & 0o777, 0o600);
    }
}

#[test]
fn whatever_is_there_becomes_the_room_that_is_wanted() {
    let holes = |file: &File| file.set_len(BYTES);
    let short = |mut file: &File| file.write_all(&MARK[..9]);
    let empty = |_: &File| Ok(());
    let longer = |file: &File| fill(&mut file.try_clone()?, 2 * BYTES);
    type Make<'a> = &'a dyn Fn(&File) -> io::Result<()>;
    let cases: [(&str, Make<'_>); 4] = [
        ("holes", &holes),
        ("short", &short),
        ("empty", &empty),
        ("longer", &longer),
    ];
    for (name, make) in cases {
        let (_directory, reserve) = reserve();
        make(&File::create_new(&reserve.path).unwrap()).unwrap();
        reserve.take(BYTES).unwrap();
        let bytes = fs::read(&reserve.path).unwrap();
        assert_eq!(bytes.len() as u64, BYTES, "{name}");
        assert!(bytes.starts_with(MARK), "{name}");
    }
}

#[test]
fn room_that_is_there_is_not_written_again() {
    let (_directory, reserve) = reserve();
    reserve.take(BYTES).unwrap();
    let modified = || fs::metadata(&reserve.path).unwrap().modified().unwrap();
    let before = modified();
    reserve.take(BYTES).unwrap();
    assert_eq!(modified(), before);
}

#[test]
fn room_is_given_back_and_taken_again() {
    let (_directory, reserve) = reserve();
    reserve.release().unwrap();
    assert!(!reserve.path.exists());
    reserve.take(BYTES).unwrap();
    reserve.release().unwrap();
    assert_eq!(fs::metadata(&reserve.path).unwrap().len(), 0);
    reserve.take(BYTES).unwrap();
    assert_eq!(fs::metadata(&reserve.path).unwrap().len(), BYTES);
}

#[test]
fn file_of_somebody_else_is_left_as_it_is() {
    let (_directory, reserve) = reserve();
    fs::write(&reserve.path, "my notes").unwrap();
    assert_eq!(
        reserve.take(BYTES).unwrap_err().kind(),
        ErrorKind::AlreadyExists
    );
    reserve.release().unwrap_err();
    assert_eq!(fs::read(&reserve.path).unwrap(), b"my notes");

    fs::remove_file(&reserve.path).unwrap();
    fs::create_dir(&reserve.path).unwrap();
    reserve.take(BYTES).unwrap_err();
}

#[cfg(unix)]
#[test]
fn links_are_not_followed() {
    let (directory, reserve) = reserve();
    let elsewhere = directory.path().join("elsewhere");
    fs::write(&elsewhere, "").unwrap();
    std::os::unix::fs::symlink(&elsewhere, &reserve.path).unwrap();
    reserve.take(BYTES).unwrap_err();
    assert_eq!(fs::metadata(&elsewhere).unwrap().len(), 0);
}

/// Answers as it is told.
#[derive(Debug)]
struct Told(Option<ErrorKind>);

impl Reserve for Told {
    fn take(&self, _: u64) -> io::Result<()> {
        self.0.map_or(Ok(()), |kind| Err(kind.into()))
    }

    fn release(&self) -> io::Result<()> {
        Ok(())
    }
}

#[test]
fn room_is_given_back_once_and_only_if_it_was_taken() {
    let cases = [
        (None, 1, State::Taken, true),
        (None, 0, State::Unwanted, false),
        (Some(ErrorKind::StorageFull), 1, State::Lacking, false),
        (Some(ErrorKind::QuotaExceeded), 1, State::Lacking, false),
        (Some(ErrorKind::PermissionDenied), 1, State::Refused, false),
    ];
    for (error, bytes, state, releases) in cases {
        let mut keeper = Keeper::new(Arc::new(Told(error)), bytes);
        assert_eq!(keeper.state(), state, "{error:?}");
        assert_eq!(keeper.release(), releases, "{error:?}");
        assert!(!keeper.release(), "{error:?}");
        let after = if releases { State::Lacking } else { state };
        assert_eq!(keeper.state(), after, "{error:?}");
    }
}
