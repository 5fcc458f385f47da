//! Bytes written as JSON, so that a line can hold any of them and huge ones stay short.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde_json::Value;

/// What the test that runs a case puts in the place of `{"var": name}`.
pub type Vars<'a> = BTreeMap<&'a str, Vec<u8>>;

/// Most bytes that one case may have.
const MAX_BYTES: usize = 16 * 1024 * 1024;

/// Reads bytes as README.md says they are written.
pub(crate) fn read(value: &Value, vars: &Vars<'_>) -> Result<Vec<u8>, String> {
    let bytes = match value {
        Value::String(text) => text.clone().into_bytes(),
        Value::Array(parts) => {
            let parts: Result<Vec<_>, _> = parts.iter().map(|part| read(part, vars)).collect();
            parts?.concat()
        }
        Value::Object(fields) if fields.len() == 1 => {
            let (operation, argument) = fields.iter().next().ok_or("nothing to do")?;
            operate(operation, argument, vars)?
        }
        other => return Err(format!("{other} is not bytes")),
    };
    if bytes.len() > MAX_BYTES {
        return Err(format!("more than {MAX_BYTES} bytes"));
    }
    Ok(bytes)
}

fn operate(operation: &str, argument: &Value, vars: &Vars<'_>) -> Result<Vec<u8>, String> {
    let part = |n: usize| argument.get(n).ok_or(format!("{operation} needs more"));
    let bytes = |n: usize| read(part(n)?, vars);
    let number = |n: usize| -> Result<usize, String> {
        let number = part(n)?.as_u64().ok_or("not a number")?;
        usize::try_from(number).map_err(|error| error.to_string())
    };
    match operation {
        "hex" => {
            let hex = argument.as_str().ok_or("hex is text")?;
            let hex = HEXLOWER.decode(hex.as_bytes());
            hex.map_err(|error| error.to_string())
        }
        "var" => {
            let name = argument.as_str().ok_or("a var is text")?;
            vars.get(name).cloned().ok_or(format!("no var {name}"))
        }
        "repeat" => {
            let (bytes, times) = (bytes(0)?, number(1)?);
            if bytes.len().saturating_mul(times) > MAX_BYTES {
                return Err(format!("more than {MAX_BYTES} bytes"));
            }
            Ok(bytes.repeat(times))
        }
        "slice" => {
            let bytes = bytes(0)?;
            let slice = bytes.get(number(1)?..number(2)?);
            Ok(slice.ok_or("slice beyond the end")?.to_vec())
        }
        "put" => {
            let (mut bytes, at, with) = (bytes(0)?, number(1)?, bytes(2)?);
            if at >= bytes.len() {
                return Err("put beyond the end".into());
            }
            bytes.splice(at..=at, with);
            Ok(bytes)
        }
        "flip" => {
            let (mut bytes, bit) = (bytes(0)?, number(1)?);
            let byte = bytes.get_mut(bit / 8).ok_or("flip beyond the end")?;
            *byte ^= 1 << (bit % 8);
            Ok(bytes)
        }
        "swap_case" => {
            let swap = |byte: u8| match byte {
                b'a'..=b'z' => byte.to_ascii_uppercase(),
                _ => byte.to_ascii_lowercase(),
            };
            Ok(read(argument, vars)?.into_iter().map(swap).collect())
        }
        other => Err(format!("nothing is called {other}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_is_read() {
        let vars = Vars::from([("token", b"abc".to_vec())]);
        let cases: [(Value, &[u8]); 10] = [
            (json!("\u{e9};"), b"\xc3\xa9;"),
            (json!({"hex": "00ff"}), b"\0\xff"),
            (json!({"var": "token"}), b"abc"),
            (json!({"repeat": ["ab", 3]}), b"ababab"),
            (json!({"slice": ["abcd", 1, 3]}), b"bc"),
            (json!({"put": [{"var": "token"}, 1, "xy"]}), b"axyc"),
            (json!({"put": ["abc", 2, ""]}), b"ab"),
            (json!({"flip": ["a", 1]}), b"c"),
            (json!({"swap_case": "aB-"}), b"Ab-"),
            (json!(["a", {"hex": "62"}, []]), b"ab"),
        ];
        for (value, bytes) in cases {
            assert_eq!(read(&value, &vars).as_deref(), Ok(bytes), "{value}");
        }
    }

    #[test]
    fn mistakes_are_told() {
        let cases = [
            json!(null),
            json!(7),
            json!({}),
            json!({"hex": "0"}),
            json!({"hex": "FF"}),
            json!({"var": "absent"}),
            json!({"repeat": ["a"]}),
            json!({"repeat": ["a", u64::MAX]}),
            json!({"slice": ["a", 1, 3]}),
            json!({"put": ["a", 1, "b"]}),
            json!({"unknown": []}),
            json!({"hex": "00", "var": "token"}),
        ];
        for value in cases {
            read(&value, &Vars::new()).expect_err(&value.to_string());
        }
    }
}
