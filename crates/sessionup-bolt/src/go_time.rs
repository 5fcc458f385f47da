//! Times as Go's `time.Time` reads them from JSON: RFC 3339, and what else Go lets pass.

use sessionup_core::Timestamp;

/// Reads a time, cut to whole milliseconds. `None` where Go refuses it.
///
/// Beyond RFC 3339 Go takes one digit for the hour, a comma before the fraction, any number of its
/// digits, and offsets up to 24:60.
pub(crate) fn parse(text: &[u8]) -> Option<Timestamp> {
    let mut rest = Rest(text);
    let year = rest.digits(4)?;
    rest.byte(b'-')?;
    let month = rest.within(2, 1, 12)?;
    rest.byte(b'-')?;
    let day = rest.within(2, 1, days_in(month, year))?;
    rest.byte(b'T')?;
    let hour_digits = if rest.0.get(1).is_some_and(u8::is_ascii_digit) {
        2
    } else {
        1
    };
    let hour = rest.within(hour_digits, 0, 23)?;
    rest.byte(b':')?;
    let minute = rest.within(2, 0, 59)?;
    rest.byte(b':')?;
    let second = rest.within(2, 0, 59)?;
    let millis = rest.fraction();
    let offset = rest.offset()?;
    if !rest.0.is_empty() {
        return None;
    }
    let minutes = (days_since_1970(year, month, day) * 24 + hour) * 60 + minute - offset;
    Some(Timestamp::from_millis(
        (minutes * 60 + second) * 1_000 + millis,
    ))
}

/// What is not read yet.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn byte(&mut self, byte: u8) -> Option<()> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        (*first == byte).then_some(())
    }

    fn digits(&mut self, count: usize) -> Option<i64> {
        let (digits, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        digits.iter().try_fold(0, |number, digit| {
            let digit = char::from(*digit).to_digit(10)?;
            Some(number * 10 + i64::from(digit))
        })
    }

    fn within(&mut self, digits: usize, least: i64, most: i64) -> Option<i64> {
        self.digits(digits)
            .filter(|number| (least..=most).contains(number))
    }

    /// Reads a fraction if there is one, as milliseconds.
    fn fraction(&mut self) -> i64 {
        let [b'.' | b',', digits @ ..] = self.0 else {
            return 0;
        };
        let length = digits
            .iter()
            .take_while(|digit| digit.is_ascii_digit())
            .count();
        if length == 0 {
            return 0;
        }
        let (digits, rest) = digits.split_at(length);
        self.0 = rest;
        let three = digits.iter().chain(b"000").take(3);
        three.fold(0, |millis, digit| millis * 10 + i64::from(digit - b'0'))
    }

    /// Reads the distance from UTC in minutes.
    fn offset(&mut self) -> Option<i64> {
        let sign = match self.0.split_first()? {
            (b'Z', rest) => {
                self.0 = rest;
                return Some(0);
            }
            (b'+', _) => 1,
            (b'-', _) => -1,
            _ => return None,
        };
        self.digits_behind_sign().map(|minutes| sign * minutes)
    }

    fn digits_behind_sign(&mut self) -> Option<i64> {
        self.0 = self.0.get(1..)?;
        let hours = self.within(2, 0, 24)?;
        self.byte(b':')?;
        Some(hours * 60 + self.within(2, 0, 60)?)
    }
}

fn days_in(month: i64, year: i64) -> i64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => 31,
    }
}

/// Counts the days of the Gregorian calendar, from March on so that the leap day is the last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    const FROM_MARCH_0000_TO_1970: i64 = 719_468;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    let leap_days = year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let days_before_month = (153 * month + 2) / 5;
    year * 365 + leap_days + days_before_month + day - 1 - FROM_MARCH_0000_TO_1970
}
