//! Reading a cookie's value as a token.

use sessionup_core::{Credential, Kind, Token};

/// Takes 64 characters of base64url for a token and nothing else, writes it as it was, and shows
/// nothing of its secret.
pub fn token(input: &[u8]) {
    let is_token = input.len() == 64
        && (input.iter()).all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    let parsed = Token::parse(input);
    assert_eq!(parsed.is_some(), is_token);
    check_imported(input, parsed.as_ref());
    let Some(parsed) = parsed else { return };

    assert_eq!(parsed.expose().as_bytes(), input, "one text for one token");
    let credential = parsed.credential(&Kind::USER);
    let again = Token::parse(input).map(|token| token.credential(&Kind::USER));
    assert_eq!(again, Some(credential), "twice");

    let secret = std::str::from_utf8(&input[22..]).expect("base64url");
    let hash = data_encoding::HEXLOWER.encode(credential.secret_hash.as_bytes());
    let printed = format!("{parsed:?} {parsed:#?} {credential:?} {credential:#?}");
    assert!(!printed.contains(secret) && !printed.contains(&hash));

    for at in 0..64 {
        let mut other = input.to_vec();
        other[at] = if other[at] == b'A' { b'B' } else { b'A' };
        let other = Token::parse(&other).map(|token| token.credential(&Kind::USER));
        assert_ne!(other, Some(credential), "place {at}");
    }
}

/// A token of the original has bounds, and nothing in common with ours of the same text.
fn check_imported(input: &[u8], native: Option<&Token>) {
    let imported = Credential::of_imported(input);
    assert_eq!(imported.is_some(), (16..=4096).contains(&input.len()));
    if let (Some(imported), Some(native)) = (imported, native) {
        let native = native.credential(&Kind::USER);
        assert_ne!(imported.id, native.id);
        assert_ne!(imported.secret_hash, native.secret_hash);
    }
}
